"""List the sources of one group: each is recorded when it is done, and one that fails does not stop the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from include.drive_backup.errors import AccountUnavailableError, DriveBackupError, SourceNotFoundError
from include.drive_backup.groups import Listed, SourceGroup, read_group
from include.drive_backup.handover import SourceTask
from include.drive_backup.hindsight import look_back
from include.drive_backup.journal import Journal, each_once, raise_together, read_journal
from include.drive_backup.listing import list_source
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.ports import BlobStore, Clock, Drive

log = logging.getLogger(__name__)

#: Sources that one task lists at once.
AT_ONCE = 4

OpenDrive = Callable[[SourceTask], AbstractAsyncContextManager[Drive]]


async def list_group(
    open_drive: OpenDrive, store: BlobStore, group: SourceGroup, clock: Clock, stop: asyncio.Event
) -> dict[str, int]:
    """List what an earlier try has not listed.

    :param open_drive: Drive as the user of a source, within the quota.
    :return: how many sources were listed, how many left out, and how many items that makes.
    :raises DriveBackupError: sources that the job names, or that fail for another reason than that this account or
        drive cannot be read. All others are recorded first.
    """
    tasks = await read_group(store, group)
    async with Journal(store, group.journal, Listed, clock) as journal:

        async def do(task: SourceTask) -> Listed:
            try:
                async with open_drive(task) as drive:
                    base = await SnapshotRepository(store).last_listing(task.snapshots)
                    listing = await look_back(drive, store, await list_source(drive, store, task, clock, base))
            except DriveBackupError as error:
                row = _missed(task, error)
                await journal.add(row)
                if row.settled:
                    return row
                raise
            return Listed(source=task.source, listing=listing)

        errors = await each_once(journal, [(each.source, each) for each in tasks], do, at_once=AT_ONCE, stop=stop)
        if not errors:
            await journal.finish()
        rows = list(journal.rows.values())
    raise_together(errors, f"{len(errors)} of {len(tasks)} sources could not be listed")
    return _counts(rows)


async def read_listed(store: BlobStore, groups: Sequence[SourceGroup]) -> dict[int, list[Listed]]:
    """What became of the sources of each group, by the group's number."""
    room = asyncio.Semaphore(16)

    async def one(group: SourceGroup) -> list[Listed]:
        async with room:
            return await read_journal(store, group.journal, Listed)

    rows = await asyncio.gather(*(one(group) for group in groups))
    return {group.number: each for group, each in zip(groups, rows, strict=True)}


def _missed(task: SourceTask, error: DriveBackupError) -> Listed:
    # What a pattern found may be out of reach, one by one; what the job names, and all else, is a failure.
    out_of_reach = not task.asked and isinstance(error, AccountUnavailableError | SourceNotFoundError)
    if out_of_reach:
        log.warning("%s is left out (%s): %s", task.source, error.reason, error)
    else:
        log.error("%s was not listed (%s): %s", task.source, error.reason, error)
    return Listed(
        source=task.source,
        outcome="left_out" if out_of_reach else "failed",
        reason=error.reason,
        message=str(error),
    )


def _counts(rows: Sequence[Listed]) -> dict[str, int]:
    listings = [row.listing for row in rows if row.listing is not None]
    return {
        "sources": len(listings),
        "left_out": sum(row.outcome == "left_out" for row in rows),
        "items": sum(listing.items for listing in listings),
        "bytes": sum(listing.bytes for listing in listings),
    }
