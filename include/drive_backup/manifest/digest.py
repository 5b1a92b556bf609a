"""One SHA-256 for all rows of a table, from their values alone: docs/format.md, "The digest", has the definition.

A Parquet file that is written again has other bytes and the same digest; one in which a value was changed has another.
The values are encoded column by column in Arrow: row by row in Python takes twenty times as long.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_NULL = "-"


class Digest:
    """The digest of a table that comes in pieces, in order."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Take the next rows, a few thousand at most.

        :raises pa.ArrowException: a column has a type that no table of ours has.
        """
        encoded = _side_by_side([_framed(_one_array(column)) for column in rows.columns])
        size = pc.sum(pc.binary_length(encoded)).as_py()
        if size:
            # An array that was just computed begins at the beginning of its buffer.
            self._sha256.update(encoded.buffers()[2][:size])

    @property
    def hex(self) -> str:
        """The digest of what came so far."""
        return self._sha256.hexdigest()


def _one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _framed(array: pa.Array) -> pa.Array:
    """Of each value the length of its text in bytes, a colon, and the text; ``-`` for null."""
    text = _text(array)
    length = pc.cast(pc.binary_length(text), pa.string())
    framed = pc.binary_join_element_wise(length, text, ":")
    return pc.fill_null(framed, _NULL) if framed.null_count else framed


def _text(array: pa.Array) -> pa.Array:
    """Each value as text; that of a struct or a list is what its members' :func:`_framed` texts make side by side."""
    if pa.types.is_string(array.type):
        return array
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
        offsets = pa.array(itertools.accumulate(lengths, initial=0), pa.int32())
        text = pc.binary_join(pa.ListArray.from_arrays(offsets, _framed(array.flatten())), "")
    elif pa.types.is_struct(array.type):
        text = _side_by_side([_framed(member) for member in array.flatten()])
    else:
        number = pa.int8() if pa.types.is_boolean(array.type) else pa.int64()
        return pc.cast(pc.cast(array, number), pa.string())
    return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string())) if array.null_count else text


def _side_by_side(texts: Sequence[pa.Array]) -> pa.Array:
    return pc.binary_join_element_wise(*texts, "")
