"""Folders that Drive lists and that are no part of the source, beside its listing in the work area."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from include.drive_backup.ports import BlobStore, Outside
from include.drive_backup.work import PartWriter, read_parts

_PART_ROWS = 50_000


def _prefix(work: str) -> str:
    return f"{work}/outside-"


async def write_outside(store: BlobStore, work: str, outside: Iterable[Outside]) -> int:
    """Write them; the number of parts."""
    async with PartWriter[Outside](store, _prefix(work), _PART_ROWS) as writer:
        for folder in sorted(outside, key=lambda each: each.id):
            await writer.write(folder)
    return writer.parts


def read_outside(store: BlobStore, work: str, parts: int) -> AsyncIterator[Outside]:
    """Read them.

    :raises CorruptStoreError: a part is gone or broken.
    """
    return read_parts(store, _prefix(work), Outside, parts=parts)
