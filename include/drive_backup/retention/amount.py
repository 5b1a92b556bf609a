"""How much, and how many at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobInfo

#: Blobs that are deleted or moved between two looks at the lock.
AT_ONCE = 500


class Amount(Struct, frozen=True):
    """Blobs, and their bytes."""

    blobs: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(blobs=self.blobs + other.blobs, bytes=self.bytes + other.bytes)


async def chunks(blobs: AsyncIterator[BlobInfo]) -> AsyncIterator[list[BlobInfo]]:
    """A listing, some blobs at a time."""
    chunk: list[BlobInfo] = []
    async for info in blobs:
        chunk.append(info)
        if len(chunk) == AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
