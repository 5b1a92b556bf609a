"""What the last snapshot that was over at an instant knew: which items, in which of Drive's versions.

Drive counts an item's changes, and no client sets that count. An item that a snapshot of before has was there; and if
its count is still the same, it is as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series
from include.drive_backup.ports import BlobStore

log = logging.getLogger(__name__)


async def versions_before(
    store: BlobStore, series: Series, instant: str, idents: Collection[str]
) -> Mapping[str, str | None]:
    """Drive's version of those of some items that the snapshot has; None for one whose row is of another time.

    :param instant: T, as in a snapshot's name.
    :param idents: what is asked for; nothing is read for none.
    """
    manifest = await _over_at(SnapshotRepository(store), series, instant) if idents else None
    if manifest is None:
        return {}
    try:
        rows = read_rows(store, manifest, ["item_id", "drive_version"], set(idents))
        return {row["item_id"]: row["drive_version"] async for row in rows}
    except CorruptStoreError as error:
        log.warning("%s: what was there before cannot be read, so more is in doubt than need be. %s", series, error)
        return {}


async def _over_at(repository: SnapshotRepository, series: Series, instant: str) -> Manifest | None:
    for name in reversed(await repository.names(series)):
        manifest = await repository.try_read(name) if name.instant < instant else None
        if manifest is not None and manifest.ended <= instant:
            return manifest
    return None
