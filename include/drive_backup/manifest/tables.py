"""The catalogue's columns and its Parquet. docs/format.md explains the columns to people who read it without us.

pyarrow takes half a second and 40 MB of each process that imports it, so this is imported where a catalogue is written
or read, and not by those who copy files.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.digest import Digest
from include.drive_backup.manifest.manifest import ANOTHER

_MS = pa.timestamp("ms", tz="UTC")

CONTENT = pa.struct(
    [
        ("blob", pa.string()),
        ("format", pa.string()),
        ("mime_type", pa.string()),
        ("size", pa.int64()),
        ("md5", pa.string()),
        ("sha256", pa.string()),
        ("checked", pa.string()),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("mime_type", pa.string(), nullable=False),
        ("size", pa.int64()),
        ("created", _MS),
        ("modified", _MS),
        ("md5", pa.string()),
        ("sha256", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("owner", pa.string()),
        ("drive_version", pa.string()),
        ("head_revision_id", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("fidelity", pa.string(), nullable=False),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("failed_since", _MS),
        ("trashed", pa.bool_()),
        ("contents", pa.list_(CONTENT)),
        pa.field("resource", pa.string(), nullable=False),
    ]
)


#: One row for each item and detail that was asked for: the value as a JSON array, or why there is none.
DETAILS_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        ("entries", pa.int64()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
    ]
)

#: One row for each item that the snapshot before had and this one has not.
LEFT_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("mime_type", pa.string(), nullable=False),
        ("size", pa.int64()),
        ("modified", _MS),
        ("owner", pa.string()),
        pa.field("last_snapshot", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        ("trashed_with", pa.string()),
        ("moved_to", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("changed", _MS),
    ]
)

SCHEMAS = {"items": SCHEMA, "details": DETAILS_SCHEMA, "left": LEFT_SCHEMA}


class Groups:
    """A Parquet file in the making.

    :param kind: ``items``, ``details`` or ``left``.
    :param digest: of the whole table; is fed with all that is added.
    """

    def __init__(self, kind: str, digest: Digest) -> None:
        self._schema = SCHEMAS[kind]
        self._digest = digest
        self._buffer = io.BytesIO()
        self._parquet = pq.ParquetWriter(self._buffer, self._schema, compression="zstd")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._buffer.tell()

    def add(self, lines: bytearray) -> None:
        """Add a row group.

        :param lines: JSON objects, one a line.
        """
        table = _table(lines, self._schema)
        self._digest.add(table)
        self._parquet.write_table(table)

    def close(self) -> bytes:
        """The whole file."""
        self._parquet.close()
        return self._buffer.getvalue()


def open_table(data: bytes, kind: str, blob: str) -> pq.ParquetFile:
    """A file with the columns of a table; it may have more of them.

    :param kind: ``items``, ``details`` or ``left``.
    :param blob: its name, for people.
    :raises CorruptStoreError: it is not such a file.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise CorruptStoreError(f"{blob} is not a Parquet file ({error}). {ANOTHER}") from error
    there = {field.name: field.type for field in file.schema_arrow}
    wrong = [field.name for field in SCHEMAS[kind] if there.get(field.name) != field.type]
    if wrong:
        raise CorruptStoreError(f"{blob} has not the columns of a snapshot: {', '.join(wrong)}. {ANOTHER}")
    return file


def batches_of(data: bytes, kind: str, blob: str, columns: list[str] | None, at_once: int) -> Iterator[pa.RecordBatch]:
    """The rows of a file.

    :param at_once: rows in memory.
    :raises CorruptStoreError: it cannot be read; see :func:`open_table`.
    """
    file = open_table(data, kind, blob)
    try:
        yield from file.iter_batches(at_once, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise CorruptStoreError(f"{blob} cannot be read ({error}). {ANOTHER}") from error


def rows_of_items(batch: pa.RecordBatch, ids: Collection[str] | None) -> list[dict[str, Any]]:
    """The rows of some items; of all, where none are named."""
    if ids is not None:
        batch = batch.filter(pc.is_in(batch["item_id"], pa.array(ids, pa.string())))
    return batch.to_pylist()  # type: ignore[no-any-return]


def rows_having(batch: pa.RecordBatch, column: str) -> list[dict[str, Any]]:
    """The rows that have a value in a column."""
    return batch.filter(pc.is_valid(batch[column])).to_pylist()  # type: ignore[no-any-return]


def ids_of_rows_with(batch: pa.RecordBatch, column: str, text: str) -> list[str]:
    """The ids of the items whose rows have a text in a column, in upper or lower case."""
    has = pc.match_substring(batch[column], text, ignore_case=True)
    return batch.filter(pc.fill_null(has, False))["item_id"].to_pylist()  # type: ignore[no-any-return]  # noqa: FBT003


def may_have(data: bytes, text: str) -> bool:
    """Whether a file of whatever table has a text in one of its columns, or cannot be read."""
    try:
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches():
            texts = (column for column in batch.columns if pa.types.is_string(column.type))
            if any(pc.any(pc.match_substring(column, text)).as_py() for column in texts):
                return True
    except (pa.ArrowException, OSError):
        return True
    return False


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
