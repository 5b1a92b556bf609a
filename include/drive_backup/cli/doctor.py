"""``drive-backup doctor``: can this machine read the backup, and is there one?"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, human_bytes, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.stopped import Settled, state_of

#: A source without a complete snapshot for so long is worth a warning.
OLD = timedelta(days=2)


@app.command(epilog="Example: `drive-backup doctor`")
def doctor(context: typer.Context) -> None:
    """Check the access to the container, and say of each source whether it could be restored now."""
    session: Session = context.obj

    async def check(store: BlobStore) -> list[dict[str, Any]]:
        return [finding async for finding in _checks(store, SystemClock().now())]

    findings = session.run(check)
    session.output.rows(findings, ("check", "result", "message"))
    if any(finding["result"] == "bad" for finding in findings):
        raise typer.Exit(1)


async def _checks(store: BlobStore, now: datetime) -> AsyncIterator[dict[str, Any]]:
    yield _finding("container", "good", f"{store.url} can be listed.")
    free = shutil.disk_usage(Path.cwd()).free
    yield _finding("disk", "good", f"{human_bytes(free)} are free in this folder.")
    repository = SnapshotRepository(store)
    sources = await repository.sources()
    if not sources:
        yield _finding("snapshots", "bad", "The container holds no snapshot. Is it the right one?")
    for source in sources:
        jobs = await repository.job_series(source)
        for series in jobs:
            yield await _series(store, repository, series, now, str(source if len(jobs) == 1 else series))
        if not jobs:
            yield _finding(str(source), "bad", "There are only snapshots that were narrowed by hand; run the job.")


async def _series(
    store: BlobStore, repository: SnapshotRepository, series: Series, now: datetime, what: str
) -> dict[str, Any]:
    """The finding on one series.

    :param what: what to call it.
    """
    names = await repository.names(series)
    damaged = [name.ident for name in names if await repository.try_read(name) is None]
    if damaged:
        return _finding(what, "bad", f"The manifests of {', '.join(damaged)} are damaged; use the others.")
    newest = await repository.latest(series, "99991231T235959.999Z")
    if newest is None:
        return _finding(what, "bad", "There is no complete snapshot; partial ones can be restored by their id.")
    age = now.astimezone(UTC) - parse_instant(newest.instant)
    said = f"The newest complete snapshot is {newest.name.ident}, {_age(age)} old."
    state = await state_of(store, names[-1])
    if isinstance(state, Settled):
        note = f" ({state.note})" if state.note else ""
        return _finding(what, "ended", f"{said} It is not backed up any more, as a person settled{note}; it is kept.")
    if state is not None:
        return _finding(what, "bad", f"{said} {state}")
    return _finding(what, "bad" if age > OLD else "good", said)


def _age(age: timedelta) -> str:
    hours = max(0, round(age.total_seconds() / 3600))
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"


def _finding(check: str, result: str, message: str) -> dict[str, Any]:
    return {"check": check, "result": result, "message": message}
