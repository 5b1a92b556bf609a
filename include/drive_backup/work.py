"""The files of a run's work area: gzipped JSON lines in small create-only parts. Safe to delete when no run is active.

Results are recorded in parts of their own instead of one growing blob: create-only works in immutable containers too,
and two writers never overwrite each other.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.model import CopyResult
from include.drive_backup.ports import BlobStore, Clock

JSON_LINES = "application/x-ndjson"
#: Results that wait to be recorded, at most, and for how long, in seconds.
GROUP = 200
GROUP_SECONDS = 2.0
_LEVEL = 3

T = TypeVar("T")


def rows_prefix(plan: str) -> str:
    """The plan's decisions."""
    return f"{plan}/rows-"


def batch_prefix(plan: str, number: int) -> str:
    """The orders of one batch."""
    return f"{plan}/batch-{number:05d}-"


def results_prefix(plan: str, number: int) -> str:
    """What the tries of one batch recorded."""
    return f"{plan}/results/batch-{number:05d}/"


class PartWriter(Generic[T]):
    """Writes structs into numbered parts ``<prefix>00000.jsonl.gz`` …; an async context manager.

    :param store: the container.
    :param prefix: nobody else writes below it.
    :param rows_per_part: bounds the memory.
    """

    def __init__(self, store: BlobStore, prefix: str, rows_per_part: int = 5_000) -> None:
        self.parts = 0
        self._store = store
        self._prefix = prefix
        self._limit = rows_per_part
        self._lines: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self._flush()

    async def write(self, row: T) -> None:
        """Take a row; writes a part when there are enough."""
        self._lines.append(encode_line(row))
        if len(self._lines) >= self._limit:
            await self._flush()

    async def _flush(self) -> None:
        if not self._lines:
            return
        await _store_part(self._store, part_name(self._prefix, self.parts), self._lines)
        self.parts += 1
        self._lines = []


async def read_parts(store: BlobStore, prefix: str, kind: type[T], *, parts: int | None = None) -> AsyncIterator[T]:
    """The structs of all parts under a prefix, in order; one part in memory at a time.

    :param parts: how many parts the writer says that it wrote: with it, a part that is gone is an error and not
        a shorter result.
    :raises CorruptStoreError: a part cannot be read or is not there.
    """
    decoder = msgspec.json.Decoder(kind)
    if parts is None:
        names = [info.name async for info in store.list(prefix)]
    else:
        names = [part_name(prefix, number) for number in range(parts)]
    for name in names:
        for line in unpack(name, await store.read(name)):
            yield decode_line(decoder, line)


class ResultLog:
    """Records results as they come, a group at a time: every 200 or 2 seconds, and at the end. An async context manager.

    :param store: the container.
    :param prefix: of the batch's results; further tries write below it too.
    :param token: this try's own, so that no two writers share a name.
    """

    def __init__(self, store: BlobStore, prefix: str, token: str, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._base = f"{prefix}{int(clock.now().timestamp() * 1000):015d}-{token}-"
        self._lines: list[bytes] = []
        self._parts = 0
        self._since = clock.monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Also when the batch is stopped or fails: what is finished stays recorded.
        await self._flush()

    async def add(self, result: CopyResult) -> None:
        """Record a result, soon."""
        self._lines.append(encode_line(result))
        if len(self._lines) >= GROUP or self._clock.monotonic() - self._since >= GROUP_SECONDS:
            await self._flush()

    async def _flush(self) -> None:
        self._since = self._clock.monotonic()
        if not self._lines:
            return
        # Taken before the write: other files finish while it is under way.
        lines, self._lines = self._lines, []
        name = part_name(self._base, self._parts)
        self._parts += 1
        await _store_part(self._store, name, lines)


async def read_results(store: BlobStore, prefix: str) -> dict[tuple[str, str], CopyResult]:
    """What counts for each (item id, format): the latest word; but one that was copied stays copied, whatever came
    later, and one that was copied as it was at the instant is not replaced by a later state.
    """
    results: dict[tuple[str, str], CopyResult] = {}
    async for result in read_parts(store, prefix, CopyResult):
        key = result.item_id, result.format
        earlier = results.get(key)
        if earlier is None or _worth(result) >= _worth(earlier):
            results[key] = result
    return results


def _worth(result: CopyResult) -> tuple[bool, bool]:
    copied = result.outcome == "copied"
    return copied, copied and result.fidelity == "exact"


def part_name(prefix: str, number: int) -> str:
    """The blob of one part."""
    return f"{prefix}{number:05d}.jsonl.gz"


async def _store_part(store: BlobStore, name: str, lines: list[bytes]) -> None:
    if not await store.put(name, pack(lines), content_type=JSON_LINES):
        raise CorruptStoreError(f"{name} exists already, though its name was made for this task; clear the task.")


def encode_line(row: Any) -> bytes:
    """One line of JSON. A lone surrogate, which Drive's names can hold, is escaped as ``\\ud800``."""
    try:
        return msgspec.json.encode(row)
    except (UnicodeEncodeError, msgspec.EncodeError):
        import json  # noqa: PLC0415 - for the one name in a million

        return json.dumps(msgspec.to_builtins(row), ensure_ascii=True).encode()


def decode_line(decoder: msgspec.json.Decoder[T], line: bytes) -> T:
    """The inverse of :func:`encode_line`."""
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        if b"\\ud" not in line.lower():
            raise CorruptStoreError(f"A line of the work area cannot be read ({error}); clear the run.") from error
        import json  # noqa: PLC0415 - as above

        return msgspec.convert(json.loads(line), decoder.type)


def pack(lines: list[bytes]) -> bytes:
    """Gzipped lines; without a time stamp, so that equal rows make equal bytes."""
    return gzip.compress(b"\n".join(lines) + b"\n", _LEVEL, mtime=0)


def unpack(name: str, data: bytes | None) -> list[bytes]:
    """The inverse of :func:`pack`.

    :raises CorruptStoreError: there is no such blob, or it is damaged.
    """
    if data is None:
        raise CorruptStoreError(f"{name} is gone; clear the run from list_source on.")
    try:
        return gzip.decompress(data).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptStoreError(f"{name} cannot be read ({error}); clear the run from list_source on.") from error
