"""``drive-backup verify``: is what the snapshots say still in the container?"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, Self

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import SeriesOption, ZoneOption
from include.drive_backup.cli.choose import choose as choose_one
from include.drive_backup.cli.choose import going_on, sources_of
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, counted, human_bytes
from include.drive_backup.moments import read_zone
from include.drive_backup.ports import BlobStore
from include.drive_backup.protection import Reader, protected
from include.drive_backup.verification.drill import drill
from include.drive_backup.verification.model import Depth
from include.drive_backup.verification.readable import erased_text
from include.drive_backup.verification.run import PERIOD, Verified, Watch, choose, verify_source

Read = Literal["none", "sample", "all"]
_DRILL_BYTES, _DRILL_FILES = 100_000_000, 100
#: What programs get of what was checked.
_COUNTS = ("snapshots", "references", "blobs", "bytes", "erased", "erased_from")
_DEPTHS: dict[Read, Depth] = {"none": "listing", "sample": "sample", "all": "all"}


@app.command(
    epilog="Examples: `drive-backup verify` looks at all listings; "
    "`drive-backup verify user/ann@example.com --read all` also reads every byte again."
)
def verify(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="e.g. user/ann@example.com; all sources if left out.")] = None,
    *,
    at: Annotated[
        str, typer.Option("--at", help="`all` snapshots, one's id (also as `SERIES/ID`), `latest`, or a time.")
    ] = "all",
    read: Annotated[
        Read, typer.Option(help="What is read again and hashed: nothing, the share that is due today, or everything.")
    ] = "none",
    period: Annotated[int, typer.Option(min=1, help="Days in which samples cover everything.")] = PERIOD,
    try_restore: Annotated[
        bool,
        typer.Option(
            "--drill", help="Also restore some files (up to 100 MB) of the newest snapshot, and discard them."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Write down what is found, so that the next backup copies anew what only reading can show, and a "
            "later check knows it. Needs the right to write.",
        ),
    ] = False,
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Check every snapshot: manifests, catalogues, and that each file is stored whole. Names what is damaged."""
    session: Session = context.obj

    async def check(store: BlobStore) -> bool:
        zone, bad = read_zone(time_zone), False
        for each in await sources_of(session, store, source, series):
            with going_on(session, alone=source is not None):
                names = await choose(store, each, at, series, zone, session.output.note)
                verified = await _one(session, store, names, at, read, period, keep)
                bad = bad or any(damage.alarming for damage in verified.damages)
            if try_restore:
                bad = not await _drill(session, store, each, series, alone=source is not None) or bad
        return bad

    if session.run(check):
        raise typer.Exit(1)


async def _drill(session: Session, store: BlobStore, source: Source, series: str | None, *, alone: bool) -> bool:
    """Restore a sample of the newest snapshot of each job, or of the series; whether all went well."""
    jobs = [each.name for each in await SnapshotRepository(store).job_series(source)]
    # Where no job has a snapshot, nothing is chosen, and the sentence of the one that is not found says why.
    chosen: list[str | None] = [series] if series else [*jobs] or [None]
    well = True
    for each in chosen:
        with going_on(session, alone=alone and len(chosen) == 1):
            well = await _drill_one(session, store, source, each) and well
    return well


async def _drill_one(session: Session, store: BlobStore, source: Source, series: str | None) -> bool:
    manifest = await choose_one(session, store, str(source), "latest", series, "UTC")
    seed = f"{SystemClock().now():%Y-%m-%d}"
    with TemporaryDirectory(prefix="drive-backup-drill-") as folder:
        limits = {"most_bytes": _DRILL_BYTES, "most_files": _DRILL_FILES}
        async with protected(store, SystemClock(), manifest.name, _reader(), session.output.warn_once):
            done = await drill(store, manifest, Path(folder), drive=None, seed=seed, **limits)
    if session.output.as_json:
        session.output.line({"drill": done.to_dict()})
    for problem in done.problems:
        session.output.say(f"NOT RESTORED  {problem}")
    session.output.say(f"Drill: {done}")
    return not done.problems


async def _one(
    session: Session, store: BlobStore, names: Sequence[SnapshotName], at: str, read: Read, period: int, keep: bool
) -> Verified:
    source, now = names[0].source, await store.now()
    what = source if at == "all" or len(names) > 1 else names[0]
    whole = protected(store, SystemClock(), what, _reader(), session.output.warn_once)
    with _Bar(session, source) as watch:
        async with whole:
            verified = await verify_source(
                store, names, _DEPTHS[read], now=now, period=period, keep_records=keep, watch=watch
            )
    _show(session, source, verified)
    return verified


def _reader() -> Reader:
    return Reader(who=f"drive-backup verify {secrets.token_hex(4)}", doing="verified")


def _show(session: Session, source: Source, verified: Verified) -> None:
    checked, reading = verified.checked, verified.read
    bad = sum(damage.alarming for damage in verified.damages)
    for text in reading.why_unread:
        session.output.flaw(text)
    if session.output.as_json:
        for damage in verified.damages:
            session.output.line({"damage": damage.to_dict(), "alarming": damage.alarming})
        session.output.line(
            {
                "source": str(source),
                "result": "bad" if bad or reading.unread else "good",
                **{key: getattr(checked, key) for key in _COUNTS},
                "read": reading.blobs,
                "read_bytes": reading.bytes,
                "archived": reading.archived,
                "unread": reading.unread,
                "damaged": len(verified.damages),
                "alarming": bad,
            }
        )
        return
    for damage in verified.damages:
        session.output.say(f"{'DAMAGED' if damage.alarming else 'known'}  {damage}")
    session.output.say(f"{source}: {_sentence(verified)}")


def _sentence(verified: Verified) -> str:
    checked, reading = verified.checked, verified.read
    looked = (
        f"{counted(checked.snapshots, 'snapshot')} with {counted(checked.blobs, 'content')} "
        f"({human_bytes(checked.bytes)}) checked, {counted(reading.blobs, 'content')} "
        f"({human_bytes(reading.bytes)}) read again"
    )
    looked += f", {reading.archived:,} not read because they are archived" if reading.archived else ""
    looked += f", {reading.unread:,} NOT READ" if reading.unread else ""
    looked += erased_text(checked.erased, checked.erased_from)
    bad = sum(damage.alarming for damage in verified.damages)
    known = len(verified.damages) - bad
    fine = "no damage found" if reading.unread else "nothing is damaged" if not known else "nothing else is damaged"
    found = f"{bad:,} DAMAGED" if bad else fine
    return f"{looked}; {found}" + (f"; {known:,} known of before" if known else "") + "."


class _Bar(Watch):
    """Shows on stderr how far it is."""

    def __init__(self, session: Session, source: Source) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._source = source
        self._progress = Progress(*columns, TimeRemainingColumn(), console=session.output.progress, transient=True)
        self._bar = self._progress.add_task(f"{source}: listing", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def snapshot(self, ident: str) -> None:
        self._progress.update(self._bar, description=f"{self._source}: checking {ident}")

    def reading(self, blobs: int, size: int) -> None:
        self._progress.update(self._bar, description=f"{self._source}: reading {blobs:,} contents", total=size)

    def read(self, size: int) -> None:
        self._progress.advance(self._bar, size)
