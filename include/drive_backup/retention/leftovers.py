"""What old runs left behind: work areas, and records of the quota. Events that nobody took yet are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from include.drive_backup.blob.names import source_path
from include.drive_backup.manifest.point import Possession, Unlocked
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.plan import is_older

#: What is not under a source of its own, with the segments that the blobs of one run share; None: each is for itself.
SHARED: dict[str, int | None] = {"work/run/": 3, "work/restore/": 3, "quota/": None}
_AT_ONCE = 500


async def clean_source(store: BlobStore, source: Source, days: float, lock: Possession | None = None) -> Amount:
    """Delete the work areas of runs of a source of which nothing was written for so many days.

    :param lock: of the source; looked at before each step, and asked before each request.
    :raises SourceBusyError: the lock was lost.
    """
    return await _clean(store, f"work/{source_path(source)}/", days, depth=4, lock=lock)


async def clean_shared(store: BlobStore, days: float) -> Amount:
    """Delete what no single source has: a run's own work areas, and single old records."""
    done = Amount()
    for prefix, depth in SHARED.items():
        done += await _clean(store, prefix, days, depth=depth)
    return done


async def _clean(
    store: BlobStore, prefix: str, days: float, depth: int | None, lock: Possession | None = None
) -> Amount:
    """Delete what is old.

    :param depth: segments of the name that one run's blobs share; they go together, when the newest is old. None: each
        blob for itself.
    """
    before = await store.now() - timedelta(days=days)
    done = Amount()
    async for group in _groups(store, prefix, depth):
        if all(is_older(info.modified, before) for info in group):
            done += await delete_all(store, group, lock)
    return done


async def delete_all(store: BlobStore, blobs: list[BlobInfo], lock: Possession | None = None) -> Amount:
    """Delete; what the service keeps does not count."""
    held = lock or Unlocked()
    done = Amount()
    for start in range(0, len(blobs), _AT_ONCE):
        some = blobs[start : start + _AT_ONCE]
        await held.confirm()
        refused = await store.delete([info.name for info in some], guard=held.ensure)
        gone = [info for info in some if info.name not in refused]
        done += Amount(blobs=len(gone), bytes=sum(info.size for info in gone))
    return done


async def _groups(store: BlobStore, prefix: str, depth: int | None) -> AsyncIterator[list[BlobInfo]]:
    key, group = None, list[BlobInfo]()
    async for info in store.list(prefix):
        its = info.name if depth is None else tuple(info.name.split("/")[:depth])
        if group and its != key:
            yield group
            group = []
        key = its
        group.append(info)
    if group:
        yield group
