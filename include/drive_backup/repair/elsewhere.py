"""The same bytes in another blob: of another file, another source, another generation of the name, another snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from include.drive_backup.blob.names import FORMAT_VERSION, ContentName, content_id, parse_content
from include.drive_backup.model import NATIVE_PREFIX, Item, format_instant
from include.drive_backup.ports import BlobInfo, BlobStore, Earlier
from include.drive_backup.repair.candidates import Wanted
from include.drive_backup.verification.model import Damage

#: Names of one content version that damaged blobs may have taken, see ``copy:<n>`` in docs/format.md.
_COPIES = 10
#: Length in bytes, and a checksum.
_Sum = tuple[int | None, str | None]


async def same_contents(store: BlobStore, damages: Collection[Damage]) -> dict[str, list[Earlier]]:
    """By damaged blob the content blobs that say that they have its bytes: one listing of the whole container.

    Where a blob says nothing of its SHA-256, its MD5 decides; whoever takes one reads it.
    """
    by_sha256, by_md5 = defaultdict[_Sum, set[str]](set), defaultdict[_Sum, set[str]](set)
    for damage in damages:
        by_sha256[damage.size, damage.sha256].add(damage.blob)
        by_md5[damage.size, damage.md5].add(damage.blob)
    found = defaultdict[str, list[Earlier]](list)
    if not damages:
        return found
    async for info in store.list("content/", metadata=True):
        sha256 = info.metadata.get("sha256")
        for blob in by_sha256.get((info.size, sha256), ()) if sha256 else by_md5.get((info.size, info.md5), ()):
            if info.name != blob:
                found[blob].append(Earlier(info=info))
    return found


async def same_parts(store: BlobStore, blob: str, parts: Mapping[str, Wanted]) -> list[Earlier]:
    """Parts of catalogues of other snapshots that have, as their manifests say, the bytes of a damaged one.

    :param parts: of all snapshots of the source.
    """
    heads = [await store.head(name) for name, wanted in parts.items() if name != blob and wanted == parts[blob]]
    return [Earlier(info=info) for info in heads if info is not None and info.size == parts[blob][0]]


def properties_of(damage: Damage, other: BlobInfo, of_itself: Collection[BlobInfo]) -> BlobInfo:
    """With what the bytes of another blob are written: never with what is said of that other file.

    :param of_itself: what there is or was under the damaged blob's name; where its metadata speak of the right bytes,
        they are right, too.
    """
    name = parse_content(damage.blob)
    if name is None:
        return other
    own = (info for info in of_itself if info.metadata.get("sha256") == damage.sha256)
    metadata = next((info.metadata for info in own), None) or _metadata(damage, name)
    return replace(other, content_type=damage.mime_type or other.content_type, metadata=metadata)


def _metadata(damage: Damage, name: ContentName) -> dict[str, str]:
    """What the catalogue and the blob's name tell, see "Content blobs" in docs/format.md; the rest is absent."""
    facts = {
        "format_version": str(FORMAT_VERSION),
        "source": str(name.source),
        "file_id": damage.item_id if _is_own(damage, name) else None,
        "modified": format_instant(name.modified) if name.modified else None,
        "format": damage.format,
        "size": str(damage.size),
        "md5": damage.md5,
        "sha256": damage.sha256,
        "checked": damage.checked,
    }
    return {key: value for key, value in facts.items() if value}


def _is_own(damage: Damage, name: ContentName) -> bool:
    """Whether the blob was stored for the item of the row, and not for another one with the same bytes."""
    item = Item(id=damage.item_id or "", name="", mime_type=NATIVE_PREFIX, modified=name.modified)
    if damage.format == "original":
        by_sha256 = replace(item, sha256=damage.sha256)
        forms = [by_sha256, replace(item, md5=damage.md5, size=damage.size)]
    else:
        forms = [item]
    ids = {content_id(form, damage.format or "", copy) for form in forms for copy in range(_COPIES)}
    return name.content_id in ids
