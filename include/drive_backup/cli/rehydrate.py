"""What ``drive-backup restore`` does when some of it is in the archive tier: say so, ask for it, wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from include.drive_backup.cli.app import NOT_YET, Session
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import CredentialsError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Priority, Refused
from include.drive_backup.ports import BlobStore
from include.drive_backup.protection import Reader, register
from include.drive_backup.restore.rehydrate import (
    Archived,
    archived_among,
    ask,
    bring_online,
    contents_of,
    notice,
)
from include.drive_backup.restore.selection import Entry

#: Seconds for which a snapshot is kept for somebody who comes back for it: Azure takes up to 15 hours.
_KEPT = 24 * 3600


@dataclass(frozen=True)
class Rehydration:
    """How to bring archived content back.

    :param wait: until it can be read.
    """

    priority: Priority = "standard"
    wait: bool = True


async def foretell(
    session: Session, store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry], how: Rehydration
) -> None:
    """For a dry run: say what would have to be rehydrated."""
    archived = await archived_among(store, await contents_of(store, manifest, wanted))
    if archived:
        _say(session, archived, how)


async def make_readable(
    session: Session, store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry], how: Rehydration
) -> None:
    """Return when all that is wanted can be read, save for what the service will not rehydrate.

    :raises typer.Exit: it was not to wait, and there is something to wait for.
    """
    names = await contents_of(store, manifest, wanted)
    archived = await archived_among(store, names)
    if not archived:
        return
    _say(session, archived, how)
    if how.wait:
        _warn(session, await _wait(session, store, archived, how))
        return
    refused = await ask(store, archived, how.priority)
    _warn(session, refused)
    if len(refused) < len(archived):
        await _keep(session, store, manifest)
        session.output.say("It is asked for. Nothing is restored yet: run the same command again later.")
        raise typer.Exit(NOT_YET)


async def _keep(session: Session, store: BlobStore, manifest: Manifest) -> None:
    """Protect the snapshot until it can be read and somebody comes back for it."""
    reader = Reader(who="drive-backup restore --no-wait", doing="restored")
    try:
        await register(store, manifest.name, reader, seconds=_KEPT)
    except CredentialsError as error:
        session.output.warn(f"Nothing keeps retention from deleting the snapshot until then: {error}")


async def _wait(session: Session, store: BlobStore, archived: Archived, how: Rehydration) -> dict[str, Refused]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} files"))
    with Progress(*columns, TimeElapsedColumn(), console=session.output.progress, transient=True) as progress:
        bar = progress.add_task("Waiting for the archive", total=len(archived))

        def show(left: Archived) -> None:
            progress.update(bar, completed=len(archived) - len(left))

        names = [info.name for info in archived]
        return await bring_online(store, names, how.priority, SystemClock(), progress=show)


def _say(session: Session, archived: Archived, how: Rehydration) -> None:
    if session.output.as_json:
        sizes = {"files": len(archived), "bytes": sum(info.size for info in archived)}
        pending = sum(info.rehydrating for info in archived)
        session.output.line({"archived": {**sizes, "rehydrating": pending, "priority": how.priority}})
    session.output.say(notice(archived, how.priority))


def _warn(session: Session, refused: Mapping[str, Refused]) -> None:
    for name, why in refused.items():
        session.output.say(f"'{name}' stays in the archive: {why.message}")
