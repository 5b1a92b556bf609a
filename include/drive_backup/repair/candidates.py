"""Try what may have the bytes of a blob: one that cannot be read is one less, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from include.drive_backup.errors import BrokenBodyError, CorruptStoreError, PermanentError, ServiceUnavailableError
from include.drive_backup.hashing import Checksums
from include.drive_backup.model import Struct
from include.drive_backup.ports import Earlier, RepairStore
from include.drive_backup.repair.model import called

#: Length in bytes and SHA-256 that a blob should have.
Wanted = tuple[int, str]

#: What one blob may meet, and the next one not.
ONE_LESS = (PermanentError, ServiceUnavailableError, BrokenBodyError)
_ARCHIVED = "{what} has the right length and is in the archive tier: rehydrate it, then repair again."
_UNREAD = "{what} cannot be read: {error}"


class Tried(Struct, frozen=True):
    """What came of it.

    :param right: the first one that holds the bytes.
    :param unread: of those that could not be read, a sentence each.
    """

    right: Earlier | None = None
    unread: tuple[str, ...] = ()


async def first_right(store: RepairStore, blob: str, candidates: Iterable[Earlier], wanted: Wanted) -> Tried:
    """Read one after the other until one holds the bytes of a blob.

    :param candidates: nothing that is deleted, since that cannot be read.
    """
    unread = list[str]()
    for each in candidates:
        what = called(each, blob)
        what = f"{what[0].upper()}{what[1:]}"
        try:
            if each.info.archived:
                unread.append(_ARCHIVED.format(what=what))
            elif await are_bytes(store.stream_earlier(each), wanted):
                return Tried(right=each, unread=tuple(unread))
        except ONE_LESS as error:
            unread.append(_UNREAD.format(what=what, error=error))
    return Tried(unread=tuple(unread))


async def are_bytes(pieces: AsyncIterator[bytes], wanted: Wanted) -> bool:
    """Whether what is read is the wanted bytes.

    :raises DriveBackupError: it cannot be read.
    """
    sums = Checksums()
    try:
        async for piece in pieces:
            await sums.add(piece)
    except CorruptStoreError as error:
        if error.reason == "blobMissing":
            raise
        return False
    return (sums.size, sums.sha256) == wanted
