"""The contents that a catalogue refers to, fast: of most row groups only the columns that are compared are decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.tables import open_table
from include.drive_backup.paths import shown_path
from include.drive_backup.verification.model import Reference

_STORED = ("blob", "size", "md5")
_ITEM = ["item_id", "path", "contents"]


class Held(msgspec.Struct, frozen=True, gc=False):
    """One content as a row has it: what is stored, and what the row says of its item. Checksums are hex."""

    blob: str
    size: int
    md5: str
    format: str
    sha256: str
    item_id: str
    item_size: int | None
    item_sha256: str | None

    @property
    def by_bytes(self) -> bool:
        """Whether it is what Drive says of the item's bytes, whoever's content it was first."""
        return self.format == "original" and (self.item_sha256, self.item_size) == (self.sha256, self.size)


class Group:
    """One row group of a part."""

    def __init__(self, file: pq.ParquetFile, number: int) -> None:
        self._file = file
        self._number = number

    def rows(self) -> pa.Table:
        """All of it."""
        return self._file.read_row_group(self._number)

    def stored(self) -> Iterator[tuple[str, int, str]]:
        """Blob, size and MD5 of each content, in order."""
        columns = [f"contents.list.element.{name}" for name in _STORED]
        column = self._file.read_row_group(self._number, columns=columns).column("contents")
        contents = column.combine_chunks().flatten()
        return zip(*(contents.field(name).to_pylist() for name in _STORED), strict=True)

    def references(self, positions: Collection[int]) -> Iterator[Reference]:
        """The contents at these positions in :meth:`stored`, with their items."""
        wanted, position = set(positions), 0
        for row in self._file.read_row_group(self._number, columns=_ITEM).to_pylist():
            for content in row["contents"] or ():
                if position in wanted:
                    yield _reference(row, content)
                position += 1


def held(rows: pa.Table) -> Iterator[Held]:
    """The contents of some rows, in the order of :meth:`Group.stored`.

    :raises CorruptStoreError: one is not whole.
    """
    column = rows["contents"].combine_chunks()
    contents, whose = column.flatten(), pc.list_parent_indices(column)
    fields = [contents.field(name) for name in ("blob", "size", "md5", "format", "sha256")]
    if contents.null_count or any(field.null_count for field in fields):
        raise CorruptStoreError("A row's content lacks its name, length, checksums or format.")
    item = [rows[name].take(whose) for name in ("item_id", "size", "sha256")]
    return map(Held, *(each.to_pylist() for each in (*fields, *item)))


def open_part(data: bytes, blob: str) -> pq.ParquetFile:
    """A part of the catalogue, to count its rows and to walk over its :func:`groups`.

    :raises CorruptStoreError: it is not one.
    """
    return open_table(data, "items", blob)


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
        path=shown_path(row["path"]),
        mime_type=content.get("mime_type"),
        checked=content.get("checked"),
    )
