"""Write and read the Parquet parts of a catalogue, a bounded number of rows at a time."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest, Part
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import put_once

log = logging.getLogger(__name__)

#: Rows in memory at once, some 20 MB with their resources.
GROUP_ROWS = 2_000
#: A part ends with the row group that reaches either.
PART_ROWS = 50_000
PART_BYTES = 32 * 1024**2
PARQUET = "application/vnd.apache.parquet"


class NameTakenError(Exception):
    """Somebody else is writing this generation; take the next one."""


class TableWriter:
    """Turns records into Parquet parts, create-only.

    :param part_name: the name of a part, by its number.
    """

    def __init__(self, store: BlobStore, schema: pa.Schema, part_name: Callable[[int], str]) -> None:
        self._store = store
        self._schema = schema
        self._part_name = part_name
        self._group = bytearray()
        self._in_group = 0
        self.parts: list[Part] = []
        self._start_part()

    async def write(self, values: dict[str, object]) -> None:
        """Take a record; writes a part when there are enough.

        :raises NameTakenError: the part exists already.
        """
        self._group += msgspec.json.encode(values)
        self._group += b"\n"
        self._in_group += 1
        if self._in_group >= GROUP_ROWS:
            self._end_group()
        if self._rows >= PART_ROWS or self._buffer.tell() >= PART_BYTES:
            await self._end_part()

    async def close(self, *, at_least: int = 0) -> None:
        """Write the rest.

        :param at_least: write so many parts, if empty ones.
        :raises NameTakenError: the part exists already.
        """
        self._end_group()
        if self._rows or len(self.parts) < at_least:
            await self._end_part()

    def _start_part(self) -> None:
        self._buffer = io.BytesIO()
        self._parquet = pq.ParquetWriter(self._buffer, self._schema, compression="zstd")
        self._rows = 0

    def _end_group(self) -> None:
        if self._in_group:
            self._parquet.write_table(_table(self._group, self._schema))
            self._rows += self._in_group
            self._group, self._in_group = bytearray(), 0

    async def _end_part(self) -> None:
        self._parquet.close()
        data, blob = self._buffer.getvalue(), self._part_name(len(self.parts))
        if not await put_once(self._store, blob, data, content_type=PARQUET):
            raise NameTakenError(blob)
        digest = hashlib.sha256(data).hexdigest()
        self.parts.append(Part(blob=blob, rows=self._rows, bytes=len(data), sha256=digest))
        self._start_part()


def _table(lines: bytearray, schema: pa.Schema) -> pa.Table:
    """Lines of JSON as a table.

    Not ``from_pylist``: for any Python value pyarrow imports pandas where there is one, a second and 60 MB of a task.
    """
    # JSON has microseconds, which a column of milliseconds refuses to read.
    read = pa.schema([_in_microseconds(column) for column in schema])
    table = pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pj.ParseOptions(explicit_schema=read, unexpected_field_behavior="error"),
    )
    return table.cast(schema, safe=False)


def _in_microseconds(column: pa.Field) -> pa.Field:
    return column.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(column.type) else column


async def read_rows(
    store: BlobStore, manifest: Manifest, columns: list[str] | None = None, ids: Collection[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a snapshot as dicts, each part checked against the manifest before its first row.

    :param columns: only these; None for all.
    :param ids: only the rows of these items; None for all.
    :raises CorruptStoreError: a part is missing or is not what was written.
    """
    async for row in _read_parts(store, manifest.parts, columns, ids):
        yield row


async def read_details(
    store: BlobStore, manifest: Manifest, columns: list[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What was saved beside the items' content, like :func:`read_rows`; nothing when the job did not ask for any."""
    async for row in _read_parts(store, manifest.details.parts if manifest.details else (), columns):
        yield row


async def _read_parts(
    store: BlobStore, parts: Sequence[Part], columns: list[str] | None, ids: Collection[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    wanted = None if ids is None else pa.array(ids, pa.string())
    for part in parts:
        file = pq.ParquetFile(io.BytesIO(await part_data(store, part)))
        for batch in file.iter_batches(GROUP_ROWS, columns=columns):
            rows = batch if wanted is None else batch.filter(pc.is_in(batch["item_id"], wanted))
            for row in rows.to_pylist():
                yield row


async def is_whole(store: BlobStore, manifest: Manifest) -> bool:
    """Whether all parts of a snapshot are what was written."""
    try:
        for part in (*manifest.parts, *(manifest.details.parts if manifest.details else ())):
            await part_data(store, part)
    except CorruptStoreError as error:
        log.warning("%s", error)
        return False
    return True


async def part_data(store: BlobStore, part: Part) -> bytes:
    """A part as it was written.

    :raises CorruptStoreError: it is missing, or is not what was written.
    """
    data = await store.read(part.blob)
    if data is None or hashlib.sha256(data).hexdigest() != part.sha256:
        raise CorruptStoreError(
            f"{part.blob} is {'missing' if data is None else 'not what was written'}. Use another snapshot of this "
            "source; run the backup again to make a new one."
        )
    return data
