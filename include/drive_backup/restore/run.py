"""Restore what was selected: folders first, from the top down, then files, many at once, and shortcuts last."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

from include.drive_backup.errors import ContentArchivedError, CorruptStoreError, ItemUnavailableError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.orders import Destination, RestoreResult, not_saved, ordered_rows, result_for
from include.drive_backup.restore.selection import Entry

FOLDERS = frozenset({"folder"})
FILES = frozenset({"file", "native"})
#: After what they may lead to.
SHORTCUTS = frozenset({"shortcut"})

Report = Callable[[RestoreResult], None]


async def restore(
    store: BlobStore,
    manifest: Manifest,
    wanted: Mapping[str, Entry],
    destination: Destination,
    report: Report,
    *,
    in_flight: int = 16,
) -> Counter[str]:
    """Restore; one item's trouble is its result, and the others go on.

    :param wanted: from :func:`.selection.select`.
    :param report: is called with each result as it comes.
    :param in_flight: how many items at once.
    :return: how many results of each outcome, and ``bytes`` written.
    :raises DriveBackupError: the backup or the destination cannot be used at all.
    """
    counts: Counter[str] = Counter()

    def take(results: list[RestoreResult]) -> None:
        for result in results:
            counts[result.outcome] += 1
            counts["bytes"] += result.bytes
            report(result)

    async for results in restore_folders(store, manifest, wanted, destination):
        take(results)
    for kinds in (FILES, SHORTCUTS):
        await _many(ordered_rows(store, manifest, wanted, kinds), destination, take, in_flight)
    return counts


async def restore_folders(
    store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry], destination: Destination
) -> AsyncIterator[list[RestoreResult]]:
    """Restore the folders, each after the one that holds it."""
    folders = [row async for row in ordered_rows(store, manifest, wanted, FOLDERS)]
    for row in sorted(folders, key=lambda row: row.path.split("/")):
        yield await _one(destination, row)


async def _many(
    rows: AsyncIterator[CatalogueRow],
    destination: Destination,
    take: Callable[[list[RestoreResult]], None],
    in_flight: int,
) -> None:
    """A bounded queue, so that rows are read only as fast as they are restored."""
    queue: asyncio.Queue[CatalogueRow] = asyncio.Queue(in_flight)

    async def work() -> None:
        while True:
            row = await queue.get()
            take(await _one(destination, row))
            queue.task_done()

    async def feed() -> None:
        async for row in rows:
            await queue.put(row)
        await queue.join()

    try:
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(work()) for _ in range(in_flight)]
            await group.create_task(feed())
            for worker in workers:
                worker.cancel()
    except ExceptionGroup as errors:
        # What ends one ends all; the first to say so speaks for them.
        raise errors.exceptions[0] from None


async def _one(destination: Destination, row: CatalogueRow) -> list[RestoreResult]:
    try:
        return await destination.restore(row)
    except (ContentArchivedError, CorruptStoreError, ItemUnavailableError) as error:
        failed = result_for(row, "failed", reason=error.reason, message=str(error))
        return [failed, *not_saved(row)]
