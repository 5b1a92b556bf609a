"""``drive-backup doctor``: can each source be restored now, from which snapshot, and what must be done?"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.choose import NO_SNAPSHOT
from include.drive_backup.manifest.erased import erased_note
from include.drive_backup.manifest.found import unreadable_text
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source, counted, human_bytes, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.stopped import Settled, Stopped, state_of
from include.drive_backup.verification.last import unverified, unverified_text
from include.drive_backup.verification.restorable import Condition, Restorable, look_at

#: A source without a complete snapshot for so long is worth a warning.
OLD = timedelta(days=2)
#: A worker's clock, and the time that a listing takes, may put a snapshot so far ahead.
_AHEAD = timedelta(hours=1)
_VERIFIED = "A share of every source's content was read again lately, as verification does after each backup."


@app.command(epilog="Example: `drive-backup doctor`")
def doctor(context: typer.Context) -> None:
    """Say of each source whether it can be restored now, from which snapshot, and what must be done.

    Reads all manifests, the newest catalogue and the listing of the content; `verify` looks at more. The exit code is 1
    when anything is bad; `warn` is about old snapshots alone.
    """
    session: Session = context.obj

    async def check(store: BlobStore) -> list[dict[str, Any]]:
        return [finding async for finding in _checks(store, await store.now())]

    findings = session.run(check)
    session.output.rows(findings, ("result", "check", "message"))
    if any(finding["result"] == "bad" for finding in findings):
        raise typer.Exit(1)


async def _checks(store: BlobStore, now: datetime) -> AsyncIterator[dict[str, Any]]:
    yield _finding("container", "good", f"{store.url} can be listed.")
    free = shutil.disk_usage(Path.cwd()).free
    yield _finding("disk", "good", f"{human_bytes(free)} are free in this folder.")
    repository = SnapshotRepository(store)
    sources = await repository.sources()
    if not sources:
        yield _finding("snapshots", "bad", NO_SNAPSHOT)
    for source in sources:
        jobs = await repository.job_series(source)
        for series in jobs:
            async for finding in _series(store, series, now, str(source if len(jobs) == 1 else series)):
                yield finding
        if not jobs:
            yield _finding(str(source), *await _by_hand_alone(store, source))
    if sources:
        late = await unverified(store, list(map(str, sources)), now)
        yield _finding("verification", "warn" if late else "good", unverified_text(late) or _VERIFIED)


async def _series(store: BlobStore, series: Series, now: datetime, what: str) -> AsyncIterator[dict[str, Any]]:
    """The findings on one series.

    :param what: what to call it.
    """
    found = await look_at(store, series)
    yield _finding(what, *_judge(found, await state_of(store, series), series, now))
    if found.older:
        said = f"{counted(len(found.older), 'older snapshot')} cannot be read. {unreadable_text(found.older)}"
        yield _finding(what, "warn", f"{said} {_mend(series)}")


async def _by_hand_alone(store: BlobStore, source: Source) -> tuple[str, str]:
    """The result, and what to say, where no job has a snapshot."""
    only = "There are only snapshots that were selected by hand, which do not hold all that a job saves"
    found = dict.fromkeys(name.series for name in await SnapshotRepository(store).names(source))
    states = {series: await state_of(store, series) for series in found}
    settled = [state for state in states.values() if isinstance(state, Settled)]
    if len(settled) == len(states):
        return "ended", f"{only}; a person settled that this is meant{_note(*settled)}."
    how = ", ".join(
        f"`drive-backup settle {source} --series {series.name}`"
        for series, state in states.items()
        if not isinstance(state, Settled)
    )
    return "bad", f"{only}. Run the job, or say that this is meant: {how}."


def _note(*settled: Settled) -> str:
    notes = dict.fromkeys(each.note for each in settled if each.note)
    return f" ({'; '.join(notes)})" if notes else ""


def _judge(found: Restorable, state: Stopped | Settled | None, series: Series, now: datetime) -> tuple[str, str]:
    """The result, and what to say."""
    if found.newest is None:
        return "bad", _nothing(found, series)
    age = now - parse_instant(found.newest.instant)
    said = f"The newest complete snapshot is {found.newest.name.ident}, {_age(age)}"
    if found.newer:
        said = (
            f"{counted(len(found.newer), 'snapshot')} cannot be read that may be complete, and newer than all others. "
            f"{unreadable_text(found.newer)} {_mend(series)} {said}"
        )
    if not found.condition.whole:
        return "bad", f"{said}, and it is damaged: {_damage(found, series, now)}"
    erased = erased_note(found.newest)
    said = f"{said}, and all of it is there.{f' {erased}' if erased else ''}{_partial(found)}"
    result, more = _judge_going_on(state, age)
    return "bad" if found.newer else result, f"{said} {more}".rstrip()


def _judge_going_on(state: Stopped | Settled | None, age: timedelta) -> tuple[str, str]:
    """Whether it is backed up as it should be, now that all of it can be restored."""
    if isinstance(state, Settled):
        return "ended", f"It is not backed up any more, as a person settled{_note(state)}; it is kept."
    if state is not None:
        return "left" if state.left else "bad", str(state)
    if age > OLD:
        return "bad", "Find out in Airflow why the backup has not succeeded since."
    if age < -_AHEAD:
        return "bad", "That time has not come yet: a clock was wrong, and readers take it for the latest."
    return "good", ""


def _nothing(found: Restorable, series: Series) -> str:
    by_id = f" Partial ones can be restored by their id, the newest is {found.partial[0]}." if found.partial else ""
    if not found.newer:
        return f"There is no complete snapshot.{by_id}"
    return f"No complete snapshot can be read. {unreadable_text(found.newer)}{by_id} {_mend(series)}"


def _partial(found: Restorable) -> str:
    if not found.partial:
        return ""
    are = "one is not complete and" if len(found.partial) == 1 else f"{len(found.partial)} are not complete and"
    return f" Of the newer ones {are} may have newer files; the last is {found.partial[0]}."


def _damage(found: Restorable, series: Series, now: datetime) -> str:
    name = found.newest.name if found.newest else None
    return f"{_lost(found.condition)} {_instead(found, now)} {_mend(series, name)}"


def _instead(found: Restorable, now: datetime) -> str:
    """What to restore from."""
    if (whole := found.whole) is not None:
        return f"The newest one that is whole is {_dated(whole, now)}: restore from it with --at {whole.ident}."
    if found.best is None:
        return "The catalogue of no complete snapshot can be read."
    name, condition = found.best
    if found.newest is not None and name == found.newest.name:
        return f"No complete snapshot is whole, and this is the newest: restore from it with --at {name.ident}."
    return (
        f"No complete snapshot is whole. The newest one with its catalogue is {_dated(name, now)}: {_lost(condition)} "
        f"Restore from it with --at {name.ident}."
    )


def _dated(name: SnapshotName, now: datetime) -> str:
    return f"{name.ident}, {_age(now - parse_instant(name.instant))}"


def _lost(condition: Condition) -> str:
    if condition.unread:
        return " ".join(condition.unread[:3])
    named = ", ".join(condition.examples)
    more = f" and {condition.lost - len(condition.examples):,} more" if condition.lost > len(condition.examples) else ""
    items = counted(condition.items, "item")
    return f"{condition.lost:,} of {items} with content cannot be restored from it ({named}{more}), all others can."


def _mend(series: Series, name: SnapshotName | None = None) -> str:
    at = f" --at {name.key}" if name else ""
    return (
        f"`drive-backup verify {series.source}{at}` names what is damaged, `drive-backup repair {series.source}` "
        "finds what Azure still keeps of it, and the next backup copies anew what Drive still has."
    )


def _age(age: timedelta) -> str:
    hours = max(0, round(age.total_seconds() / 3600))
    return f"{hours} hours old" if hours < 72 else f"{hours // 24} days old"


def _finding(check: str, result: str, message: str) -> dict[str, Any]:
    return {"check": check, "result": result, "message": message}
