"""Level 2: read contents again and hash them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from include.drive_backup.errors import (
    BrokenBodyError,
    ContentArchivedError,
    CorruptStoreError,
    DriveBackupError,
    PermanentError,
    ServiceUnavailableError,
    StoppedError,
)
from include.drive_backup.hashing import Checksums
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore
from include.drive_backup.verification.findings import Findings, begin
from include.drive_backup.verification.model import ReadAgain, Reference

Progress = Callable[[int], None]

#: What reading one blob may meet, and reading the next one not.
_UNREAD = (PermanentError, ServiceUnavailableError, BrokenBodyError)
#: After so many one after the other it is not the blobs that are why.
_IN_A_ROW = 16
_NAMED = 20


async def read_again(
    store: BlobStore,
    source: Source,
    references: AsyncIterator[Reference],
    *,
    in_flight: int = 8,
    stop: asyncio.Event | None = None,
    progress: Progress | None = None,
) -> ReadAgain:
    """Compare the bytes in the container with the SHA-256 of the catalogue.

    :param in_flight: blobs at once; each takes some MB of memory.
    :param stop: set it to end soon.
    :param progress: called with the size of each blob in bytes as it is done.
    :raises StoppedError: ``stop`` was set.
    :raises DriveBackupError: nothing can be read any more.
    """
    findings = await begin(store, source)
    reading = _Reading(store, findings, references, stop or asyncio.Event(), progress)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(reading.work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return ReadAgain(
        blobs=reading.blobs,
        bytes=reading.bytes,
        archived=reading.archived,
        unread=reading.unread,
        why_unread=tuple(reading.why_unread),
        damages=tuple(findings.damages),
    )


class _Reading:
    """What several readers share."""

    def __init__(
        self,
        store: BlobStore,
        findings: Findings,
        references: AsyncIterator[Reference],
        stop: asyncio.Event,
        progress: Progress | None,
    ) -> None:
        self.blobs = self.bytes = self.archived = self.unread = 0
        self.why_unread: list[str] = []
        self._in_a_row = 0
        self._store = store
        self._findings = findings
        self._references = references
        self._stop = stop
        self._progress = progress
        self._turn = asyncio.Lock()

    async def work(self) -> None:
        """Read one blob after the other until there are none left."""
        while True:
            async with self._turn:
                reference = await anext(self._references, None)
            if reference is None:
                return
            await self._one(reference)
            if self._progress is not None:
                self._progress(reference.size)

    async def _one(self, reference: Reference) -> None:
        try:
            said = await self._compare(reference)
        except CorruptStoreError as error:
            said = str(error)
        except ContentArchivedError:
            self.archived += 1
            return
        except _UNREAD as error:
            self._not_read(reference, error)
            return
        self._in_a_row = 0
        self.blobs += 1
        self.bytes += reference.size
        if said is not None:
            self._findings.content(reference, "bytes", said, await self._store.head(reference.blob))

    def _not_read(self, reference: Reference, error: DriveBackupError) -> None:
        self.unread += 1
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            raise error
        if self.unread <= _NAMED:
            self.why_unread.append(f"{reference.path} ({reference.item_id}) could not be read: {error}")

    async def _compare(self, reference: Reference) -> str | None:
        """What is wrong with a blob's bytes; None when nothing is."""
        sums = Checksums()
        async for piece in self._store.stream(reference.blob):
            await sums.add(piece)
            if self._stop.is_set():
                raise StoppedError("The task was asked to stop. Its batch is read again from its beginning.")
        if (sums.size, sums.sha256) == (reference.size, reference.sha256):
            return None
        return (
            f"The blob {reference.blob} holds {sums.size} bytes with the SHA-256 {sums.sha256} instead of "
            f"{reference.size} bytes with {reference.sha256}."
        )
