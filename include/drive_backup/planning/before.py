"""What the last snapshot that was over at an instant knew of items: Drive's version, and the content.

Drive counts an item's changes, and no client sets that count. An item that a snapshot of before has was there; and if
its count is still the same, it is as it was. If it had other content then, the content of now came later than that,
whatever time a client set.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Look, Series, parse_instant
from include.drive_backup.ports import BlobStore

log = logging.getLogger(__name__)


_COLUMNS = ("item_id", "drive_version", "modified", "size", "md5", "sha256", "fidelity")


async def snapshot_over_at(store: BlobStore, series: Series, instant: str) -> Manifest | None:
    """The last snapshot that was over at an instant, if there is one that can be read.

    :param instant: T, as in a snapshot's name.
    """
    repository = SnapshotRepository(store)
    for name in reversed(await repository.names(series)):
        manifest = await repository.try_read(name) if name.instant < instant else None
        if manifest is not None and manifest.ended <= instant:
            return manifest
    return None


async def looks_before(store: BlobStore, manifest: Manifest, idents: Collection[str]) -> Mapping[str, Look]:
    """What a snapshot has of those of some items that are in it."""
    try:
        rows = read_rows(store, manifest, list(_COLUMNS), set(idents))
        return {row["item_id"]: look_of(row, manifest) async for row in rows}
    except CorruptStoreError as error:
        log.warning(
            "%s: what was there before cannot be read, so the times that Drive tells are believed more than they "
            "should be. %s",
            manifest.name.ident,
            error,
        )
        return {}


def look_of(row: Mapping[str, Any], manifest: Manifest) -> Look:
    """What a row of a snapshot says of its item.

    The rows of a snapshot made on time are as its listing had the items, those without a version excepted. Of one that
    was late a row is of its instant if it says so. A listing that was not held against the change feed may
    show items as they were some time before it: when, nobody knows.
    """
    lagging = manifest.listed is None or manifest.listed.unproven is not None or manifest.name.source.rootless
    if lagging or row["drive_version"] is None or (manifest.kind == "as-of" and row["fidelity"] != "exact"):
        at = None
    else:
        at = parse_instant(manifest.instant if manifest.kind == "as-of" else manifest.started)
    facts = {column: row[column] for column in ("modified", "size", "md5", "sha256")}
    return Look(version=row["drive_version"], at=at, **facts)
