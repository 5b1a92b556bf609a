"""What one task of a verification leaves for another, in the work area: contents to read, and damage found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from include.drive_backup.groups import write_rows
from include.drive_backup.model import Struct, counted, human_bytes
from include.drive_backup.ports import BlobStore
from include.drive_backup.verification.model import Damage, ReadAgain, Reference
from include.drive_backup.verification.sample import Sample
from include.drive_backup.work import PartWriter, read_parts

#: Bytes that take as long to read as a further blob does.
_PER_BLOB = 200_000


class Found(Struct, frozen=True):
    """Where a task's damage is in the work area. Small, for XCom."""

    prefix: str
    parts: int
    count: int


class ReadBatch(Struct, frozen=True):
    """Contents of one source that one task reads again. Small, for XCom."""

    source: str
    prefix: str
    parts: int
    blobs: int
    bytes: int

    @property
    def label(self) -> str:
        """The name that a person sees on the mapped task."""
        return f"{self.source} · {counted(self.blobs, 'content')} · {human_bytes(self.bytes)}"


class CheckedGroup(Struct, frozen=True):
    """What checking the listings of some sources gave: sums, and where the rest is. ``samples`` are by source.

    :param unchecked: of sources that have no such snapshot, as sentences.
    :param unreadable: of sources whose check ended early, as sentences.
    """

    sources: int
    snapshots: int
    blobs: int
    bytes: int
    found: Found
    erased: int = 0
    erased_from: int = 0
    batches: tuple[ReadBatch, ...] = ()
    samples: dict[str, Sample] = {}
    unchecked: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class ReadGroup(Struct, frozen=True):
    """What reading one batch of a source gave: sums, and where the damage is."""

    source: str
    read: ReadAgain
    found: Found


class BatchWriter:
    """Deals contents out to batches of about equal work, as they come.

    :param prefix: a place of the caller's own in the work area.
    :param batch_bytes: a further batch is begun when all have so much; at most ``max_batches``.
    """

    def __init__(self, store: BlobStore, source: str, prefix: str, *, batch_bytes: int, max_batches: int) -> None:
        self._store = store
        self._source = source
        self._prefix = prefix
        self._batch_bytes = batch_bytes
        self._max_batches = max_batches
        self._writers: list[PartWriter[Reference]] = []
        self._loads: list[int] = []
        self._bytes: list[int] = []

    async def add(self, reference: Reference) -> None:
        """Take a content."""
        lightest = min(range(len(self._loads)), key=self._loads.__getitem__, default=None)
        if lightest is None or (self._loads[lightest] >= self._batch_bytes and len(self._loads) < self._max_batches):
            lightest = self._begin()
        self._loads[lightest] += reference.size + _PER_BLOB
        self._bytes[lightest] += reference.size
        await self._writers[lightest].write(reference)

    def _begin(self) -> int:
        number = len(self._writers)
        self._writers.append(PartWriter[Reference](self._store, f"{self._prefix}read-{number:04d}-"))
        self._loads.append(0)
        self._bytes.append(0)
        return number

    async def close(self) -> list[ReadBatch]:
        """Write the rest."""
        return [
            ReadBatch(
                source=self._source,
                prefix=f"{self._prefix}read-{number:04d}-",
                parts=await writer.close(),
                blobs=writer.rows,
                bytes=self._bytes[number],
            )
            for number, writer in enumerate(self._writers)
        ]


def contents_of(store: BlobStore, batch: ReadBatch) -> AsyncIterator[Reference]:
    """The contents of a batch."""
    return read_parts(store, batch.prefix, Reference, parts=batch.parts)


async def write_found(store: BlobStore, prefix: str, damages: Sequence[Damage]) -> Found:
    """Write down damage for the report."""
    return Found(prefix=prefix, parts=await write_rows(store, prefix, damages), count=len(damages))


async def read_found(store: BlobStore, found: Found) -> list[Damage]:
    """The damage that a task wrote down."""
    return [row async for row in read_parts(store, found.prefix, Damage, parts=found.parts)]
