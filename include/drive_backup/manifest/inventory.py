"""What is in a container, as fingerprints: so that millions of references can be held against it at once."""

from __future__ import annotations

import hashlib
from typing import Literal

from include.drive_backup.blob.names import content_prefix
from include.drive_backup.damage import load_damaged
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore

#: What a blob's metadata says beside whose content it is, in the order of the arguments of :meth:`Inventory.tells`.
_FACTS = ("format", "sha256", "size")


def fingerprint(blob: str, size: int, md5: str | None) -> bytes:
    """16 bytes for a name, a length and a Content-MD5: a million of them take 100 MB less than the names."""
    return hashlib.blake2b(f"{blob}\0{size}\0{md5}".encode(), digest_size=16).digest()


class Inventory:
    """The content blobs of a source by their fingerprints, and what their metadata says, as 17 bytes each."""

    def __init__(self) -> None:
        self._metadata: dict[bytes, bytes] = {}

    def __contains__(self, mark: bytes) -> bool:
        return mark in self._metadata

    def add(self, blob: BlobInfo) -> None:
        """Take a blob that was listed with its metadata."""
        facts = [blob.metadata.get(key) for key in _FACTS]
        there = sum(1 << place for place, fact in enumerate(facts) if fact)
        owner = blob.metadata.get("file_id")
        self._metadata[fingerprint(blob.name, blob.size, blob.md5)] = (
            bytes([there]) + _short([fact for fact in facts if fact]) + (_short([owner]) if owner else b"")
        )

    def tells(
        self, mark: bytes, item_id: str, content_format: str, sha256: str, size: int
    ) -> Literal["right", "other-item", "metadata"]:
        """Whether a blob's metadata agree with what a catalogue says of it; what it does not have is passed over.

        :param mark: of a blob that is there.
        :return: ``other-item`` it is another item's content; ``metadata`` format, SHA-256 or size are others.
        """
        known, facts = self._metadata[mark], (content_format, sha256, str(size))
        if known[1:9] != _short([fact for place, fact in enumerate(facts) if known[0] >> place & 1]):
            return "metadata"
        return "right" if known[9:] in (b"", _short([item_id])) else "other-item"


async def load_inventory(store: BlobStore, source: Source) -> Inventory:
    """List the content blobs of a source with their metadata (5,000 a call)."""
    inventory = Inventory()
    async for info in store.list(content_prefix(source), metadata=True):
        inventory.add(info)
    return inventory


async def load_sound(store: BlobStore, source: Source) -> set[bytes]:
    """The fingerprints of what is in the container now, without what is known to hold other bytes than it should."""
    damaged = await load_damaged(store, source)
    return {
        fingerprint(info.name, info.size, info.md5)
        async for info in store.list(content_prefix(source))
        if not damaged.holds(info)
    }


def _short(texts: list[str]) -> bytes:
    return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
