"""Read what a late run knows of its instant: the change feed that its listing wrote down, and rows of two snapshots."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.handover import Listing, Past, Witnesses
from include.drive_backup.hindsight import Changed, changed_prefix
from include.drive_backup.increment import listing_prefix
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.schema import row_of
from include.drive_backup.model import Item, parse_instant
from include.drive_backup.planning.before import look_of
from include.drive_backup.planning.then import Hindsight, Witness
from include.drive_backup.planning.tree import Node
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import read_flag, read_time
from include.drive_backup.work import read_parts

log = logging.getLogger(__name__)


class Listed(msgspec.Struct, frozen=True, gc=False):
    """The part of a listed item that says how old a look at it is."""

    id: str
    version: str | None = None
    trashed: bool = False


async def load_hindsight(
    store: BlobStore, listing: Listing, nodes: dict[str, Node], trashed: AsyncIterator[Item], within: Collection[str]
) -> tuple[Hindsight, Past]:
    """The listing as of its instant, and what it was made from.

    :param nodes: what Drive lists; changed in place.
    :param trashed: the items of the listing that are in the trash.
    :param within: items that are part of the source now, and not in the trash.
    """
    known = listing.witnesses or Witnesses()
    thrown = {item.id: _thrown(item) async for item in trashed}
    feed = await _read_feed(store, listing, known)
    found = Hindsight(parse_instant(listing.task.instant), nodes, thrown, within, feed)
    before = await _read_witnesses(store, known.before, found, settles=True)
    after = await _read_witnesses(store, known.after, found, settles=False)
    found.resolve(before or {}, after or {})
    return found, Past(
        before=None if before is None else known.before,
        after=None if after is None else known.after,
        feed=feed is not None,
        untold=found.untold,
    )


async def _read_feed(store: BlobStore, listing: Listing, known: Witnesses) -> dict[str, Changed] | None:
    if known.changes is None:
        return None
    rows = read_parts(store, changed_prefix(listing.work), Changed, parts=known.changes)
    return {changed.id: changed async for changed in rows}


async def _read_witnesses(
    store: BlobStore, manifest_name: str | None, found: Hindsight, *, settles: bool
) -> dict[str, Witness] | None:
    """The rows of a snapshot that are of use; None when there is none, or it cannot be read.

    :param settles: an item that it has in the version of now did not change since.
    """
    name = parse_snapshot(manifest_name) if manifest_name else None
    manifest = await SnapshotRepository(store).try_read(name) if name else None
    try:
        return None if manifest is None else await _useful_rows(store, manifest, found, settles=settles)
    except CorruptStoreError as error:
        log.warning("Less is known of the past than could be. %s", error)
        return None


async def _useful_rows(store: BlobStore, manifest: Manifest, found: Hindsight, *, settles: bool) -> dict[str, Witness]:
    wanted = set()
    async for row in read_rows(store, manifest, ["item_id", "drive_version"]):
        ident, node = row["item_id"], found.nodes.get(row["item_id"])
        if settles and node is not None and node.version is not None and node.version == row["drive_version"]:
            found.unsure.discard(ident)
        elif node is None or ident in found.unsure:
            wanted.add(ident)
    if not wanted:
        return {}
    rows = {row["item_id"]: _witness(row, manifest) async for row in read_rows(store, manifest, ids=wanted)}
    return rows if manifest.kind != "as-of" else await _as_listed(store, manifest, rows)


async def _as_listed(store: BlobStore, manifest: Manifest, rows: dict[str, Witness]) -> dict[str, Witness]:
    """Of a snapshot that was late for its own instant: the rows that are as its listing had the items.

    Others are of that instant, and may have been over when it was made.
    """
    if manifest.listed is None:
        return {}
    prefix, parts = listing_prefix(manifest.listed.work), manifest.listed.parts
    listed: dict[str, set[str | None]] = {}
    async for item in read_parts(store, prefix, Listed, parts=parts):
        if item.id in rows and not item.trashed:
            listed.setdefault(item.id, set()).add(item.version)
    return {ident: row for ident, row in rows.items() if row.item.version and row.item.version in listed.get(ident, ())}


def _witness(values: Mapping[str, Any], manifest: Manifest) -> Witness:
    row = row_of(dict(values))
    columns = ("size", "modified", "md5", "sha256", "head_revision_id")
    item = replace(
        row.item,
        version=values["drive_version"],
        trashed=bool(values.get("trashed")) and bool(row.item.resource.get("explicitlyTrashed", True)),
        **{column: values[column] for column in columns},
    )
    return Witness(item, row.outcome, row.fidelity, row.contents, row.reason, row.message, look_of(values, manifest))


def _thrown(item: Item) -> tuple[bool | None, datetime | None]:
    return read_flag(item.resource.get("explicitlyTrashed")), read_time(item.resource.get("trashedTime"))
