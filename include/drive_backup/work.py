"""The work area of a run: gzip JSON lines in numbered, create-only parts.

Whatever one task leaves for another goes through here, so that no task needs local disk or more memory than one part,
and a task that is tried again finds what the try before it recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import Generic, Self, TypeVar

import msgspec
from isal import isal_zlib

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.model import CopyResult
from include.drive_backup.ports import BlobInfo, BlobStore, Clock, Guard

Row = TypeVar("Row", bound=msgspec.Struct | msgspec.Raw)

_SUFFIX = ".jsonl.gz"
_GZIP = 16 + zlib.MAX_WBITS
_CONTENT_TYPE = "application/gzip"
#: Compressed bytes of one part, at most by about one row.
_PART_BYTES = 8 * 1024**2
#: Bytes that are compressed together: row by row takes four times as long.
_AT_ONCE = 64 * 1024
#: Packed bytes that are unpacked together.
_UNPACKED = 64 * 1024
#: Parts that are on their way at once. Those of results are more and smaller: most have 200 rows.
_PARTS_AHEAD, _RESULTS_AHEAD = 4, 8


def rows_prefix(plan: str) -> str:
    """The plan's decisions."""
    return f"{plan}/rows-"


def batch_prefix(plan: str, number: int) -> str:
    """The orders of one batch."""
    return f"{plan}/batch-{number:05d}-"


def results_prefix(plan: str, number: int) -> str:
    """What the tries of one batch recorded."""
    return f"{plan}/results/batch-{number:05d}/"


def root_prefix(work: str) -> str:
    """The one row that tells of the folder that the source starts at."""
    return f"{work}/root-"


def part_name(prefix: str, number: int) -> str:
    """``<prefix>00000.jsonl.gz``."""
    return f"{prefix}{number:05d}{_SUFFIX}"


class PartWriter(Generic[Row]):
    """Writes rows to ``<prefix>00000.jsonl.gz``, ``<prefix>00001`` … A prefix has one writer ever.

    Use as a context manager; only a block that ends without an error closes it. It writes nothing for no rows.

    :param prefix: begins with a token of the writer's own.
    :param rows_per_part: a part has no more rows.
    :param first: number of the first part: another writer, which is done, wrote those before it.
    """

    def __init__(self, store: BlobStore, prefix: str, rows_per_part: int = 10_000, *, first: int = 0) -> None:
        self._store = store
        self._prefix = prefix
        self._rows_per_part = rows_per_part
        self.parts = first
        self.rows = 0
        self._start_part()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self.close()

    async def write(self, row: Row) -> None:
        """Take one row; it is stored when its part is full or at :meth:`close`."""
        self._lines += encode_row(row)
        self._lines += b"\n"
        if len(self._lines) >= _AT_ONCE:
            self._squeeze()
        self.rows += 1
        self._in_part += 1
        if self._in_part >= self._rows_per_part or self._size >= _PART_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Store what was added since the last part.

        :raises CorruptStoreError: another writer uses the prefix.
        """
        if not self._in_part:
            return
        name = part_name(self._prefix, self.parts)
        self._squeeze()
        data = b"".join([*self._pieces, self._gzip.flush()])
        # From here on a row belongs to the next part: another task may add while this one is stored.
        self.parts += 1
        self._start_part()
        if not await put_once(self._store, name, data, content_type=_CONTENT_TYPE):
            raise CorruptStoreError(f"'{name}' exists already: another task writes to the same work area. Run again.")

    async def close(self) -> int:
        """Store the rest.

        :return: the number of parts.
        """
        await self.flush()
        return self.parts

    def _start_part(self) -> None:
        self._gzip = isal_zlib.compressobj(level=1, wbits=_GZIP)
        self._lines = bytearray()
        self._pieces: list[bytes] = []
        self._size = 0
        self._in_part = 0

    def _squeeze(self) -> None:
        piece = self._gzip.compress(self._lines)
        self._lines.clear()
        self._pieces.append(piece)
        self._size += len(piece)


async def put_once(store: BlobStore, name: str, data: bytes, *, content_type: str, guard: Guard | None = None) -> bool:
    """Create a blob, or find that it is there with the same bytes.

    HTTP clients and proxies send a PUT again by themselves when a connection breaks; the second one then finds what
    the first one made, and only the bytes tell it from somebody else's.

    :param guard: asked before each write.
    :return: false when the name is taken by other bytes.
    """
    if await store.put(name, data, content_type=content_type, guard=guard):
        return True
    found = await store.head(name)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return found is not None and (found.size, found.md5) == (len(data), md5)


async def read_parts(
    store: BlobStore, prefix: str, row_type: type[Row], *, parts: int | None = None
) -> AsyncIterator[Row]:
    """The rows that a :class:`PartWriter` wrote, in order, with the memory of a few packed parts.

    :param parts: how many parts the writer says that it wrote. With it a part that is gone is an error, and not a
        shorter result; without it, whatever is there is read.
    :raises CorruptStoreError: a part is missing or broken.
    """
    decoder = msgspec.json.Decoder(row_type)
    names: Iterable[str]
    if parts is None:
        names = [info.name async for info in store.list(prefix) if info.name.endswith(_SUFFIX)]
    else:
        names = (part_name(prefix, number) for number in range(parts))
    async with aclosing(_ahead(store, names, _PARTS_AHEAD)) as ahead:
        async for name, part in ahead:
            for row in _rows_of(name, part, decoder):
                yield row


def _rows_of(name: str, part: bytes, decoder: msgspec.json.Decoder[Row]) -> Iterator[Row]:
    gzip, rest = zlib.decompressobj(wbits=_GZIP), b""
    try:
        for start in range(0, len(part), _UNPACKED):
            *lines, rest = (rest + gzip.decompress(part[start : start + _UNPACKED])).split(b"\n")
            for line in lines:
                yield decode_row(decoder, line)
    except (zlib.error, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CorruptStoreError(
            f"'{name}' in the work area is broken: {error}. Clear the run to do it anew."
        ) from error
    if not gzip.eof or rest or gzip.unused_data:
        raise CorruptStoreError(f"'{name}' in the work area is cut short. Clear the run to do it anew.")


class ResultLog:
    """Records copy results in small parts, so that a killed worker loses at most the last few.

    Parts are ``<prefix><token>-00000.jsonl.gz`` …; tries of one batch share the prefix, each with its own token.
    A part is stored with every ``rows`` results, with the first result ``seconds`` after the last part, and on close,
    also after an error: what was copied was copied. Results that get lost cost a look into Blob, not a download.
    """

    def __init__(
        self, store: BlobStore, prefix: str, token: str, clock: Clock, *, rows: int = 200, seconds: float = 2.0
    ) -> None:
        self._writer = PartWriter[CopyResult](store, f"{prefix}{token}-", rows)
        self._clock = clock
        self._seconds = seconds
        self._stored = clock.monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()

    async def add(self, result: CopyResult) -> None:
        """Record a result."""
        await self._writer.write(result)
        if self._clock.monotonic() - self._stored >= self._seconds:
            self._stored = self._clock.monotonic()
            await self._writer.flush()


async def read_results(store: BlobStore, prefix: str) -> dict[tuple[str, str], CopyResult]:
    """All results under ``<prefix>``, one for each file id and format.

    Of several, a copied one wins (its blob is there), among those an exact one, then the latest.

    :raises CorruptStoreError: a part is broken.
    """
    results: dict[tuple[str, str], CopyResult] = {}
    async for result in stream_results(store, prefix):
        key = (result.item_id, result.format)
        results[key] = better(results.get(key), result)
    return results


async def stream_results(store: BlobStore, prefix: str) -> AsyncIterator[CopyResult]:
    """All results under ``<prefix>`` as they were recorded, oldest part first, duplicates included."""
    decoder = msgspec.json.Decoder(CopyResult)
    found = [info async for info in store.list(prefix) if info.name.endswith(_SUFFIX)]
    names = [info.name for info in sorted(found, key=_age)]
    async with aclosing(_ahead(store, names, _RESULTS_AHEAD)) as parts:
        async for name, part in parts:
            for result in _rows_of(name, part, decoder):
                yield result


async def _ahead(store: BlobStore, names: Iterable[str], ahead: int) -> AsyncGenerator[tuple[str, bytes], None]:
    """Parts in their order; some are read at once: each costs the time of a request, and a large run has thousands."""
    queue, coming = iter(names), deque[tuple[str, asyncio.Task[bytes]]]()
    try:
        while True:
            for name in islice(queue, ahead - len(coming)):
                coming.append((name, asyncio.create_task(_whole(store, name))))
            if not coming:
                return
            name, part = coming.popleft()
            yield name, await part
    finally:
        for _, part in coming:
            part.cancel()
        await asyncio.gather(*(part for _, part in coming), return_exceptions=True)


async def _whole(store: BlobStore, name: str) -> bytes:
    return b"".join([piece async for piece in store.stream(name)])


def encode_row(row: msgspec.Struct | msgspec.Raw) -> bytes:
    """One line of JSON, without its end."""
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:
        # A lone surrogate, which a name in Drive can hold; msgspec cannot write it.
        return json.dumps(msgspec.to_builtins(row), ensure_ascii=True).encode()


def decode_row(decoder: msgspec.json.Decoder[Row], line: bytes) -> Row:
    """The inverse of :func:`encode_row`. As :class:`msgspec.Raw` a line stays what it is."""
    if decoder.type is msgspec.Raw:
        return decoder.type(line)
    try:
        return decoder.decode(line)
    except msgspec.DecodeError:
        if b"\\ud" not in line:
            raise
        return msgspec.convert(json.loads(line), decoder.type)


def better(earlier: CopyResult | None, later: CopyResult) -> CopyResult:
    """The result that counts, of two for the same order."""
    return later if earlier is None or _rank(later) >= _rank(earlier) else earlier


def _rank(result: CopyResult) -> tuple[bool, bool]:
    copied = result.outcome == "copied"
    return copied, copied and result.fidelity == "exact"


def _age(info: BlobInfo) -> tuple[float, str]:
    return (info.modified.timestamp() if info.modified else 0.0, info.name)
