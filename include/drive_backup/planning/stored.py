"""What is stored of a source: an index of ``content/<source>/``, built from one listing with metadata.

The store is the truth, not what an earlier run said: a blob that somebody deleted or damaged is copied again. A damaged
one keeps its name, so the copy gets another: see :meth:`StoredIndex.free_id`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from include.drive_backup.blob.metadata import stored_file
from include.drive_backup.blob.names import content_id, content_prefix, parse_content
from include.drive_backup.damage import Damaged, load_damaged
from include.drive_backup.model import Checked, Item, Look, Source, StoredContent
from include.drive_backup.planning.places import Places
from include.drive_backup.planning.sightings import Sightings, sightings, was_head
from include.drive_backup.ports import BlobInfo, BlobStore


class StoredVersion(msgspec.Struct, frozen=True, gc=False):
    """One content version in Blob: whose it is, when Drive said that it was modified, when it was read.

    :ivar read: a moment at which it was the head; None when that is not known.
    :ivar version: Drive's count of changes then, and ``drive_size`` what it said of a document's size.
    """

    file_id: str
    modified: datetime | None
    read: datetime | None
    content: StoredContent
    version: str | None = None
    drive_size: int | None = None


class StoredIndex:
    """Finds content by what Drive says of an item. A version is packed until it is asked for: there may be a million.

    :param damaged: what verification found to hold the wrong bytes.
    """

    def __init__(self, damaged: Damaged | None = None) -> None:
        self._damaged = damaged or Damaged()
        self._spoilt: set[str] = set()
        self._packed: list[bytes] = []
        # Places in that list. Different things may have the same hash: who finds something compares.
        self._by_content = Places()
        self._by_bytes = Places()
        self._by_file = Places()

    def __len__(self) -> int:
        return len(self._packed)

    def find(self, item: Item, content_format: str) -> StoredVersion | None:
        """The stored head of an item: its own, else the same bytes stored for another file.

        Only SHA-256 and size make another file's content the same; files of equal MD5 and size can be made at will.
        """
        _, own = self._own(item, content_format)
        if own is not None:
            return own
        if content_format != "original" or item.sha256 is None or item.size is None:
            return None
        return next(
            (
                version
                for version in self._at(self._by_bytes.of(hash(item.sha256)))
                if (version.content.sha256, version.content.size) == (item.sha256, item.size)
            ),
            None,
        )

    def free_id(self, item: Item, content_format: str) -> str:
        """The content id for a copy of what :meth:`find` does not find: not that of a damaged blob."""
        return self._own(item, content_format)[0]

    def _own(self, item: Item, content_format: str) -> tuple[str, StoredVersion | None]:
        """The first content id of an item's head that is its own, or that nothing damaged has; and what it names.

        A document may have been exported several times in what Drive says is one version: then the first free id, and
        the last export.
        """
        last: StoredVersion | None = None
        for copy in itertools.count():
            ident = content_id(item, content_format, copy)
            own = self._named(ident)
            if own is None and ident not in self._spoilt:
                return ident, last
            if own is not None and _is_head(own, item, content_format):
                if item.kind != "native":
                    return ident, own
                last = own
        raise AssertionError("unreachable")

    def as_of(self, file_id: str, content_format: str, instant: datetime, before: Look) -> StoredVersion | None:
        """The version that was the head at an instant, when what is stored proves it.

        It does when the version was modified before the instant and read after it, unless another one was seen between.

        :param before: what a snapshot that was over at the instant has of the item.
        """
        versions = self._of(file_id, content_format)
        proven = [version for version in versions if was_head(version, instant, versions, before)]
        return max(proven, key=lambda version: (version.modified, version.content.blob), default=None)

    def sightings(self, item: Item, content_format: str) -> Sightings:
        """When this content of an item, and when others of it, were seen as its head."""
        return sightings(item, self._of(item.id, content_format))

    @property
    def spoilt(self) -> tuple[str, ...]:
        """Content ids under which something damaged is."""
        return tuple(sorted(self._spoilt))

    def holds(self, content: StoredContent) -> bool:
        """Whether a content is stored as a snapshot says, under the name that it says."""
        name = parse_content(content.blob)
        found = None if name is None else self._named(name.content_id)
        return found is not None and found.content == content

    def versions(self, file_id: str, content_format: str) -> tuple[StoredContent, ...]:
        """All that is stored of a file in one format."""
        return tuple(version.content for version in self._of(file_id, content_format))

    def add(self, info: BlobInfo) -> None:
        """Take a blob into the index, if it is a content blob and is what its metadata says."""
        found, name = stored_file(info), parse_content(info.name)
        if name is None:
            return
        if found is None or self._damaged.holds(info):
            self._spoilt.add(name.content_id)
            return
        version = StoredVersion(
            file_id=found.file_id,
            modified=name.modified,
            # What was no longer the head when it was read proves nothing.
            read=None if found.read_late else found.read,
            content=found.content,
            version=found.version,
            drive_size=found.drive_size,
        )
        try:
            packed = _pack(version)
        except ValueError:  # a lone surrogate, or no hash: nothing that we write has that here
            self._spoilt.add(name.content_id)
            return
        place = len(self._packed)
        self._packed.append(packed)
        self._by_content.add(int(found.content_id, 16), place)
        self._by_file.add(hash(found.file_id), place)
        if found.content.format == "original":
            self._by_bytes.add(hash(found.content.sha256), place)

    def _named(self, ident: str) -> StoredVersion | None:
        """The version of a content id, which is 64 bits in hex.

        Of two blobs with one content (the file was renamed while two runs copied it) the first in lexical order counts.
        """
        return next(self._at(self._by_content.of(int(ident, 16))), None)

    def _at(self, places: Iterable[int]) -> Iterator[StoredVersion]:
        return (_unpack(self._packed[place]) for place in places)

    def _of(self, file_id: str, content_format: str) -> list[StoredVersion]:
        """All versions of a file in one format, in lexical order."""
        return [
            version
            for version in self._at(self._by_file.of(hash(file_id)))
            if (version.file_id, version.content.format) == (file_id, content_format)
        ]


async def load_stored(store: BlobStore, source: Source) -> StoredIndex:
    """List what is stored of a source (5,000 names a call, no content is read)."""
    index = StoredIndex(await load_damaged(store, source))
    async for info in store.list(content_prefix(source), metadata=True):
        index.add(info)
    return index


def _is_head(version: StoredVersion, item: Item, content_format: str) -> bool:
    """Guard against a damaged name or a collision of the 64 bits in it."""
    content = version.content
    return (
        version.file_id == item.id
        and content.format == content_format
        and (
            item.kind == "native"
            or (
                item.size in (None, content.size)
                and item.md5 in (None, content.md5)
                and item.sha256 in (None, content.sha256)
            )
        )
    )


class _Packed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stored version without the names of its fields."""

    file_id: str
    modified: datetime | None
    read: datetime | None
    version: str | None
    drive_size: int | None
    blob: str
    format: str
    mime_type: str
    size: int
    md5: bytes
    sha256: bytes
    checked: Checked | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def _pack(version: StoredVersion) -> bytes:
    """:raises ValueError: the content's hashes are none, or a text cannot be UTF-8."""
    content = version.content
    return _encode(
        _Packed(
            file_id=version.file_id,
            modified=version.modified,
            read=version.read,
            version=version.version,
            drive_size=version.drive_size,
            blob=content.blob,
            format=content.format,
            mime_type=content.mime_type,
            size=content.size,
            md5=bytes.fromhex(content.md5),
            sha256=bytes.fromhex(content.sha256),
            checked=content.checked,
        )
    )


def _unpack(packed: bytes) -> StoredVersion:
    found = _decode(packed)
    content = StoredContent(
        blob=found.blob,
        format=found.format,
        mime_type=found.mime_type,
        size=found.size,
        md5=found.md5.hex(),
        sha256=found.sha256.hex(),
        checked=found.checked,
    )
    return StoredVersion(
        file_id=found.file_id,
        modified=found.modified,
        read=found.read,
        content=content,
        version=found.version,
        drive_size=found.drive_size,
    )
