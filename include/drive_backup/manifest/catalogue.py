"""Write and read the Parquet parts of a catalogue, a bounded number of rows at a time."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from include.drive_backup.errors import UNREADABLE, CorruptStoreError
from include.drive_backup.manifest.manifest import ANOTHER, Manifest, Part
from include.drive_backup.ports import BlobStore, Guard
from include.drive_backup.work import put_once

if TYPE_CHECKING:
    import pyarrow as pa

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

    :param kind: ``items``, ``details`` or ``left``.
    :param part_name: the name of a part, by its number.
    :param guard: asked before each write.
    """

    def __init__(
        self, store: BlobStore, kind: str, part_name: Callable[[int], str], guard: Guard | None = None
    ) -> None:
        from include.drive_backup.manifest.digest import Digest  # noqa: PLC0415 - imports pyarrow

        self._digest = Digest()
        self._store = store
        self._kind = kind
        self._part_name = part_name
        self._guard = guard
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
        if self._rows >= PART_ROWS or self._parquet.size >= PART_BYTES:
            await self._end_part()

    async def close(self, *, at_least: int = 0) -> None:
        """Write the rest.

        :param at_least: write so many parts, if empty ones.
        :raises NameTakenError: the part exists already.
        """
        self._end_group()
        if self._rows or len(self.parts) < at_least:
            await self._end_part()

    @property
    def digest(self) -> str:
        """The digest of all rows, when it is closed."""
        return self._digest.hex

    def _start_part(self) -> None:
        from include.drive_backup.manifest.tables import Groups  # noqa: PLC0415 - imports pyarrow

        self._parquet = Groups(self._kind, self._digest)
        self._rows = 0

    def _end_group(self) -> None:
        if self._in_group:
            self._parquet.add(self._group)
            self._rows += self._in_group
            self._group, self._in_group = bytearray(), 0

    async def _end_part(self) -> None:
        data, blob = self._parquet.close(), self._part_name(len(self.parts))
        if not await put_once(self._store, blob, data, content_type=PARQUET, guard=self._guard):
            raise NameTakenError(blob)
        digest = hashlib.sha256(data).hexdigest()
        self.parts.append(Part(blob=blob, rows=self._rows, bytes=len(data), sha256=digest))
        self._start_part()


async def read_rows(
    store: BlobStore, manifest: Manifest, columns: list[str] | None = None, ids: Collection[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a snapshot as dicts, each part checked against the manifest before its first row.

    :param columns: only these; None for all.
    :param ids: only the rows of these items; None for all.
    :raises CorruptStoreError: a part is missing or is not what was written, or the manifest does not name all parts.
    """
    async for row in _read_parts(store, "items", _item_parts(manifest), columns, ids):
        yield row


async def read_rows_there_are(
    store: BlobStore, manifest: Manifest, columns: list[str], damaged: Callable[[str], None]
) -> AsyncIterator[dict[str, Any]]:
    """As :func:`read_rows`, without the parts that cannot be read.

    :param damaged: gets a sentence for each of these.
    """
    if (flaw := _miscounted(manifest)) is not None:
        damaged(flaw)
    for part in manifest.parts:
        try:
            async for row in _read_parts(store, "items", [part], columns):
                yield row
        except UNREADABLE as error:
            damaged(str(error).removesuffix(f" {ANOTHER}"))


async def read_rows_but(
    store: BlobStore, manifest: Manifest, columns: list[str], known: Container[str]
) -> AsyncIterator[dict[str, Any]]:
    """As :func:`read_rows`, without the rows of known items, which cost next to nothing.

    :param columns: ``item_id`` among them.
    :param known: ids of items.
    """
    async for batch in read_batches(store, "items", _item_parts(manifest), columns):
        wanted = [place for place, ident in enumerate(batch["item_id"].to_pylist()) if ident not in known]
        for row in batch.take(wanted).to_pylist() if wanted else ():
            yield row


async def read_rows_having(
    store: BlobStore, manifest: Manifest, columns: list[str], having: str
) -> AsyncIterator[dict[str, Any]]:
    """As :func:`read_rows`, of the rows that have a value in a column.

    :param having: one of the columns.
    """
    from include.drive_backup.manifest.tables import rows_having  # noqa: PLC0415 - imports pyarrow

    async for batch in read_batches(store, "items", _item_parts(manifest), columns):
        for row in rows_having(batch, having):
            yield row


async def read_left(store: BlobStore, manifest: Manifest) -> AsyncIterator[dict[str, Any]]:
    """The items that the snapshot before had and this one has not, like :func:`read_rows`."""
    async for row in _read_parts(store, "left", manifest.left.parts if manifest.left else (), None):
        yield row


async def read_details(
    store: BlobStore, manifest: Manifest, columns: list[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What was saved beside the items' content, like :func:`read_rows`; nothing when the job did not ask for any."""
    async for row in _read_parts(store, "details", manifest.details.parts if manifest.details else (), columns):
        yield row


def _item_parts(manifest: Manifest) -> Sequence[Part]:
    """The parts of the catalogue, if they have as many rows as the snapshot has items: else a part would not be missed.

    :raises CorruptStoreError: they have not.
    """
    if (flaw := _miscounted(manifest)) is not None:
        raise CorruptStoreError(f"{flaw} {ANOTHER}")
    return manifest.parts


def _miscounted(manifest: Manifest) -> str | None:
    rows = sum(part.rows for part in manifest.parts)
    if rows == manifest.items:
        return None
    return f"{manifest.name.manifest} has {manifest.items} items, and names parts of {rows} rows."


async def _read_parts(
    store: BlobStore,
    kind: str,
    parts: Sequence[Part],
    columns: list[str] | None,
    ids: Collection[str] | None = None,
) -> AsyncIterator[dict[str, Any]]:
    from include.drive_backup.manifest.tables import rows_of_items  # noqa: PLC0415 - imports pyarrow

    async for batch in read_batches(store, kind, parts, columns):
        for row in rows_of_items(batch, ids):
            yield row


async def read_batches(
    store: BlobStore, kind: str, parts: Sequence[Part], columns: list[str] | None
) -> AsyncIterator[pa.RecordBatch]:
    """The rows of a table as Arrow's batches.

    :param kind: ``items``, ``details`` or ``left``.
    :param columns: only these; None for all that there are.
    :raises CorruptStoreError: a part is missing, or is not what was written.
    """
    from include.drive_backup.manifest.tables import batches_of  # noqa: PLC0415 - imports pyarrow

    for part in parts:
        for batch in batches_of(await part_data(store, part), kind, part.blob, columns, GROUP_ROWS):
            yield batch


async def sizes_of(store: BlobStore, prefix: str) -> dict[str, int]:
    """The lengths of the blobs below a prefix, in bytes."""
    return {info.name: info.size async for info in store.list(prefix)}


def lost_part(manifest: Manifest, there: Mapping[str, int]) -> str | None:
    """What of a catalogue is not there, or is not as long as its manifest says, as a sentence: without reading it.

    :param there: from :func:`sizes_of`.
    """
    for part in manifest.parts:
        if part.blob not in there:
            return f"{part.blob} is missing."
        if there[part.blob] != part.bytes:
            return f"{part.blob} has {there[part.blob]} bytes instead of {part.bytes}."
    return _miscounted(manifest)


async def part_data(store: BlobStore, part: Part) -> bytes:
    """A part as it was written.

    :raises CorruptStoreError: it is missing, or is not what was written.
    """
    data = await store.read(part.blob)
    if data is None or hashlib.sha256(data).hexdigest() != part.sha256:
        raise CorruptStoreError(f"{part.blob} is {'missing' if data is None else 'not what was written'}. {ANOTHER}")
    return data
