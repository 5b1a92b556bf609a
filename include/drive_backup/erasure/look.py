"""Look for an item in all snapshots of one source. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.erasure.model import Shared
from include.drive_backup.erasure.rows import Going, going_of
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.retention.plan import read_manifests, snapshot_of
from include.drive_backup.retention.references import blob_mark

_NAMED = 3


@dataclass
class Look:
    """What there is of an item.

    :ivar manifests: of all snapshots of the source that can be read, oldest first.
    :ivar going: what goes of each, by the key of the snapshot.
    :ivar unreadable: why others cannot be read, by key.
    :ivar wanted: marks of the content blobs that rows which go refer to.
    :ivar staying: marks of those that other rows refer to.
    :ivar gone: ids of items that no other row has.
    :ivar paths: where the item is or was.
    :ivar is_root: the source starts at it.
    """

    manifests: list[Manifest]
    going: dict[str, Going] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    wanted: set[bytes] = field(default_factory=set)
    staying: set[bytes] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    is_root: bool = False

    @property
    def ids(self) -> set[str]:
        """Of all items that go, of one snapshot at least."""
        return {ident for going in self.going.values() for ident in going.ids}

    @property
    def unknown(self) -> dict[str, tuple[str, ...]]:
        """Some of the rows of what left that may have been in the folder, by the key of the snapshot."""
        return {key: going.unknown[:_NAMED] for key, going in self.going.items() if going.unknown}

    def concerns(self, info: BlobInfo) -> bool:
        """Whether a content blob is, or was, of what goes: by the rows, or by what it says of itself."""
        return blob_mark(info.name) in self.wanted or info.metadata.get("file_id") in self.gone


async def look_for(store: BlobStore, source: Source, item: str) -> Look:
    """Read all catalogues of a source.

    :param item: the id of the item.
    """
    manifests, damaged = await read_manifests(store, source)
    look, paths = Look(manifests), dict[str, str]()
    look.unreadable = dict.fromkeys(damaged, "Its manifest cannot be read.")
    there = {each.name.manifest for each in manifests} | {snapshot_of(source, key).manifest for key in damaged}
    for manifest in manifests:
        look.is_root |= manifest.root is not None and manifest.root.resource.get("id") == item
        try:
            look.going[manifest.name.key] = await going_of(store, manifest, item, paths, there)
            await _take_contents(store, manifest, look)
        except UNREADABLE as error:
            look.going.pop(manifest.name.key, None)
            look.unreadable[manifest.name.key] = str(error)
    look.paths = set(paths.values())
    look.gone = {item, *look.ids} - await _elsewhere(store, look)
    return look


async def _take_contents(store: BlobStore, manifest: Manifest, look: Look) -> None:
    ids = look.going[manifest.name.key].ids
    async for row in read_rows(store, manifest, ["item_id", "contents"]):
        marks = look.wanted if row["item_id"] in ids else look.staying
        marks.update(blob_mark(content["blob"]) for content in row["contents"] or ())


async def _elsewhere(store: BlobStore, look: Look) -> set[str]:
    """Which of the items have a row that does not go: of a folder's, those that were outside of it once."""
    ids, found = look.ids, set[str]()
    for manifest in look.manifests:
        going = look.going.get(manifest.name.key)
        if going is not None and len(ids) > 1:
            rows = read_rows(store, manifest, ["item_id"], ids)
            found |= {row["item_id"] async for row in rows} - going.ids
    return found


async def who_shares(store: BlobStore, look: Look, manifests: list[Manifest], blobs: set[str]) -> list[Shared]:
    """Which other items refer to content that cannot go for that reason.

    :param manifests: as they are now.
    :param blobs: their names.
    """
    found: dict[str, dict[str, None]] = {blob: {} for blob in sorted(blobs)}
    for manifest in manifests if blobs else ():
        going = look.going.get(manifest.name.key)
        if going is not None:
            async for blob, item in _references(store, manifest, going):
                if blob in found and len(found[blob]) < _NAMED:
                    found[blob][item] = None
    return [Shared(blob=blob, items=tuple(items)) for blob, items in found.items()]


async def _references(store: BlobStore, manifest: Manifest, going: Going) -> AsyncIterator[tuple[str, str]]:
    async for row in read_rows(store, manifest, ["item_id", "contents"]):
        if row["item_id"] not in going.ids:
            for content in row["contents"] or ():
                yield content["blob"], row["item_id"]


def named_parts(manifest: Manifest) -> set[str]:
    """The blobs of a snapshot's folder that its manifest speaks of, and those that say what it is."""
    name: SnapshotName = manifest.name
    parts = (part.blob for part in (*manifest.parts, *manifest.beside))
    return {*parts, name.manifest, name.void}
