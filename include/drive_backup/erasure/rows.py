"""Which rows of one snapshot are of an item: its own, and of a folder those of all that is below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from include.drive_backup.manifest.catalogue import read_left, read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore


class Going(Struct, frozen=True):
    """What goes of one snapshot.

    :param ids: of items of the catalogue, which may be many. ``left``: of the table of what left.
    :param named: the manifest itself names the item.
    :param unknown: ids of rows of what left that may have been in the folder. They stay, since nobody knows.
    """

    ids: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    named: bool = False
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.left or self.named)


async def going_of(
    store: BlobStore, manifest: Manifest, item: str, paths: dict[str, str], there: Collection[str]
) -> Going:
    """What goes of a snapshot.

    :param item: the id of the item.
    :param paths: where the item is, by the name of the manifest, in the snapshots before; this one's is added.
    :param there: the manifests of all snapshots of the source, whether they can be read or not.
    :raises CorruptStoreError: the catalogue, or the table of what left, cannot be read.
    """
    ids, folder = frozenset[str](), None
    async for row in read_rows(store, manifest, ["item_id", "path", "kind"], [item]):
        paths[manifest.name.manifest] = row["path"]
        ids = frozenset([item])
        if row["kind"] == "folder":
            folder = row["path"]
            ids |= await _below(store, manifest, row["path"])
    missed = manifest.listed.missed if manifest.listed else None
    named = missed is not None and any(item in example for example in missed.examples)
    left, unknown = await _left(store, manifest, item, folder, paths, there)
    return Going(ids=ids, left=left, named=named, unknown=unknown)


async def _below(store: BlobStore, manifest: Manifest, folder: str) -> frozenset[str]:
    rows = read_rows(store, manifest, ["item_id", "path"])
    return frozenset([row["item_id"] async for row in rows if row["path"].startswith(f"{folder}/")])


async def _left(
    store: BlobStore,
    manifest: Manifest,
    item: str,
    here: str | None,
    paths: Mapping[str, str],
    there: Collection[str],
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Which rows of what left go, and of which nobody knows.

    The table has the paths of the snapshot that it was compared with: there the item has one place. Without that
    snapshot, and without a row of the item in the table, the place of now is all that is known.

    :param here: where the item is in this snapshot, if it is a folder.
    """
    if manifest.left is None:
        return frozenset(), ()
    rows = {row["item_id"]: row["path"] async for row in read_left(store, manifest)}
    guessed = item not in rows and manifest.left.base not in there
    folder = here if guessed else rows.get(item) or paths.get(manifest.left.base)
    below = {ident for ident, path in rows.items() if folder is not None and path.startswith(f"{folder}/")}
    unknown = rows.keys() - below if guessed and here is not None else ()
    return frozenset(below | ({item} & rows.keys())), tuple(sorted(unknown))
