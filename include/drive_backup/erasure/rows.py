"""Which rows of one snapshot are of an item: its own, and of a folder those of all that is below it."""

from __future__ import annotations

from collections.abc import Mapping

from include.drive_backup.manifest.catalogue import read_left, read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore


class Going(Struct, frozen=True):
    """What goes of one snapshot.

    :param ids: of items of the catalogue, which may be many. ``left``: of the table of what left.
    :param named: the manifest itself names the item.
    """

    ids: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    named: bool = False

    def __bool__(self) -> bool:
        return bool(self.ids or self.left or self.named)


async def going_of(store: BlobStore, manifest: Manifest, item: str, paths: dict[str, str]) -> Going:
    """What goes of a snapshot.

    :param item: the id of the item.
    :param paths: where the item is, by the name of the manifest, in the snapshots before; this one's is added.
    :raises CorruptStoreError: the catalogue, or the table of what left, cannot be read.
    """
    ids = frozenset[str]()
    async for row in read_rows(store, manifest, ["item_id", "path", "kind"], [item]):
        paths[manifest.name.manifest] = row["path"]
        ids = frozenset([item])
        if row["kind"] == "folder":
            ids |= await _below(store, manifest, row["path"])
    missed = manifest.listed.missed if manifest.listed else None
    named = missed is not None and any(item in example for example in missed.examples)
    return Going(ids=ids, left=await _left(store, manifest, item, paths), named=named)


async def _below(store: BlobStore, manifest: Manifest, folder: str) -> frozenset[str]:
    rows = read_rows(store, manifest, ["item_id", "path"])
    return frozenset([row["item_id"] async for row in rows if row["path"].startswith(f"{folder}/")])


async def _left(store: BlobStore, manifest: Manifest, item: str, paths: Mapping[str, str]) -> frozenset[str]:
    """The table has the paths of the snapshot that it was compared with: there the item has one place."""
    if manifest.left is None:
        return frozenset()
    rows = {row["item_id"]: row["path"] async for row in read_left(store, manifest)}
    folder = rows.get(item) or paths.get(manifest.left.base) or paths.get(manifest.name.manifest)
    below = {ident for ident, path in rows.items() if folder is not None and path.startswith(f"{folder}/")}
    return frozenset(below | ({item} & rows.keys()))
