"""``drive-backup repair``: put back what is damaged or missing from what has the same bytes."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.choose import going_on, sources_of
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import CredentialsError
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source, counted
from include.drive_backup.ports import RepairStore
from include.drive_backup.protection import Reader, protected
from include.drive_backup.repair import run
from include.drive_backup.repair.model import Outcome, Remedy
from include.drive_backup.verification.model import Depth

Read = Literal["none", "all"]
_DEPTHS: dict[Read, Depth] = {"none": "listing", "all": "all"}
_MAY_NOT = (
    "This credential may not write here, so nothing was repaired. Use one with the role 'Storage Blob Data "
    "Contributor' on the container, or a SAS with the letters rcwdl. {said}"
)


@app.command(
    epilog="Examples: `drive-backup repair` says what it would do; `drive-backup repair --apply` does it; "
    "`drive-backup repair user/ann@example.com --read all` first reads every content, to find what no listing shows."
)
def repair(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="e.g. user/ann@example.com; all sources if left out.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this, nothing is changed.")] = False,
    read: Annotated[
        Read, typer.Option(help="`all` reads every content again; else what a listing shows and what is on record.")
    ] = "none",
) -> None:
    """Look for deleted blobs, older versions, Blob snapshots and other blobs with the right bytes; put them back."""
    session: Session = context.obj

    async def each_source(store: RepairStore) -> bool:
        well = True
        for each in await sources_of(session, store, source):
            with going_on(session, alone=source is not None):
                well = await _one(session, store, each, _DEPTHS[read], apply=apply) and well
        return well

    if not session.run_repair(each_source):
        raise typer.Exit(1)


async def _one(session: Session, store: RepairStore, source: Source, depth: Depth, *, apply: bool) -> bool:
    """Whether nothing is damaged any more."""
    token, clock = secrets.token_hex(6), SystemClock()
    if not apply:
        reader = Reader(who=f"drive-backup repair {token}", doing="looked at for a repair")
        async with protected(store, clock, source, reader, session.output.warn_once):
            found = await run.look(store, source, clock, depth)
        _show(session, found, applied=False)
        return not found.remedies and not found.unread
    lock = SourceLock(store, source, f"drive-backup repair {token}")
    try:
        done = await run.repair(store, source, lock, clock, depth)
    except CredentialsError as error:
        raise CredentialsError(_MAY_NOT.format(said=error), reason=error.reason) from error
    _show(session, done, applied=True)
    return not done.left and not done.unread


def _show(session: Session, outcome: Outcome, *, applied: bool) -> None:
    for text in outcome.unread:
        session.output.flaw(text)
    if session.output.as_json:
        session.output.line({"applied": applied, **outcome.to_dict()})
        return
    for done in outcome.repaired:
        session.output.say(
            f"{'REPAIRED' if done.done else 'FAILED'}  {_named(done.remedy)}: {done.why or _how(done.remedy)}"
        )
    for remedy in outcome.remedies:
        if not applied or remedy.how == "none":
            word = "CANNOT BE REPAIRED" if remedy.how == "none" else "can be repaired"
            session.output.say(f"{word}  {_named(remedy)}: {_how(remedy)}")
    session.output.say(f"{outcome.source}: {_sentence(outcome, applied=applied)}")


def _named(remedy: Remedy) -> str:
    return remedy.blob if remedy.what == remedy.blob else f"{remedy.what} ({remedy.blob})"


def _how(remedy: Remedy) -> str:
    if remedy.how == "none":
        return remedy.why
    return " ".join([_whence(remedy), *remedy.unread])


def _whence(remedy: Remedy) -> str:
    if remedy.how == "copy":
        return f"{remedy.whence} has the right bytes (SHA-256 compared)."
    return f"{remedy.whence}. It has the right length; its bytes can be compared only when it is back."


def _sentence(outcome: Outcome, *, applied: bool) -> str:
    if not outcome.remedies and not outcome.repaired:
        return "no damage found." if outcome.unread else "nothing is damaged."
    said = _count(outcome, applied=applied)
    if outcome.whole:
        said += f"; whole {'again' if applied else 'then'}: {', '.join(outcome.whole)}"
    if outcome.left:
        said += f"; still damaged: {', '.join(outcome.left)}"
    return f"{said}."


def _count(outcome: Outcome, *, applied: bool) -> str:
    can = (
        {each.remedy.blob for each in outcome.repaired if each.done}
        if applied
        else {remedy.blob for remedy in outcome.remedies if remedy.how != "none"}
    )
    damaged = len(outcome.remedies)
    if not can:
        return f"none of {counted(damaged, 'damaged blob')} {'was' if applied else 'can be'} repaired"
    of_all = f" of {damaged:,}" if len(can) < damaged else ""
    return f"{counted(len(can), 'blob')}{of_all} " + (
        "repaired" if applied else "can be repaired; run it again with --apply"
    )
