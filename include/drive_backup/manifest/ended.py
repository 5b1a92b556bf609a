"""Whether a person has settled that a series ended, whatever was saved of it by hand since."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from include.drive_backup.blob.names import SnapshotName, stopped_name
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.ports import BlobStore

Read = Callable[[SnapshotName], Awaitable[Manifest | None]]


async def since_the_job(names: Sequence[SnapshotName], read: Read) -> Sequence[SnapshotName]:
    """The last snapshot that the job itself made, and those that a person asked for since.

    :param names: of all snapshots of a series, oldest first.
    :param read: one that cannot be read gives None, and counts as the job's.
    :return: none where a person asked for all of them.
    """
    for place in reversed(range(len(names))):
        if names[place].series.narrowed:
            continue
        manifest = await read(names[place])
        if manifest is None or not manifest.by_hand:
            return names[place:]
    return ()


async def settled_at(store: BlobStore, since: Sequence[SnapshotName]) -> SnapshotName | None:
    """The snapshot with which a person said that a series ended; None: nobody did, or the job went on since.

    :param since: from :func:`since_the_job`; where a person asked for all snapshots, all.
    """
    for name in reversed(since):
        if await store.head(stopped_name(name.series, name.ident, settled=True)) is not None:
            return name
    return None
