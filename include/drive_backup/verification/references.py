"""The contents that a catalogue refers to, fast: of most row groups only blob, size and MD5 are decoded."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.drive_backup.verification.model import Reference

_STORED = ("blob", "size", "md5")
_ITEM = ["item_id", "path", "contents"]


class Group:
    """One row group of a part."""

    def __init__(self, file: pq.ParquetFile, number: int) -> None:
        self._file = file
        self._number = number

    def stored(self) -> Iterator[tuple[str, int, str]]:
        """Blob, size and MD5 of each content, in order."""
        columns = [f"contents.list.element.{name}" for name in _STORED]
        contents = self._contents(columns)
        return zip(*(contents.field(name).to_pylist() for name in _STORED), strict=True)

    def references(self, positions: Collection[int]) -> Iterator[Reference]:
        """The contents at these positions in :meth:`stored`, with their items."""
        wanted, position = set(positions), 0
        for row in self._file.read_row_group(self._number, columns=_ITEM).to_pylist():
            for content in row["contents"] or ():
                if position in wanted:
                    yield _reference(row, content)
                position += 1

    def _contents(self, columns: list[str]) -> pa.StructArray:
        column = self._file.read_row_group(self._number, columns=columns).column("contents")
        return pa.concat_arrays([chunk.flatten() for chunk in column.chunks]) if column.num_chunks else _NOTHING


_NOTHING = pa.array([], pa.struct([("blob", pa.string()), ("size", pa.int64()), ("md5", pa.string())]))


def open_part(data: bytes) -> pq.ParquetFile:
    """A part's file, to count its rows and to walk over its :func:`groups`."""
    return pq.ParquetFile(io.BytesIO(data))


def groups(file: pq.ParquetFile) -> Iterator[Group]:
    """The row groups of a part."""
    return (Group(file, number) for number in range(file.num_row_groups))


def _reference(row: dict[str, Any], content: dict[str, Any]) -> Reference:
    return Reference(
        blob=content["blob"],
        format=content["format"],
        size=content["size"],
        md5=content["md5"],
        sha256=content["sha256"],
        item_id=row["item_id"],
        path=row["path"],
    )
