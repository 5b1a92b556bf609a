"""Write and read the Parquet parts of a catalogue, a bounded number of rows at a time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import pyarrow.parquet as pq

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest, Part
from include.drive_backup.manifest.schema import CatalogueRow, to_arrow
from include.drive_backup.ports import BlobStore

#: Rows per part and row group: some 10 to 50 MB in memory.
PART_ROWS = 20_000
PARQUET = "application/vnd.apache.parquet"


class CatalogueWriter:
    """Collects rows and turns them into parts. Parts are kept by hash, so an equal part is not written twice.

    :param store: the container.
    :param name: the snapshot's place.
    """

    def __init__(self, store: BlobStore, name: SnapshotName) -> None:
        self._store = store
        self._name = name
        self._rows: list[CatalogueRow] = []
        self.parts: list[Part] = []

    async def write(self, row: CatalogueRow) -> None:
        """Take a row; writes a part when there are enough."""
        self._rows.append(row)
        if len(self._rows) >= PART_ROWS:
            await self._flush()

    async def close(self) -> None:
        """Write the rest. A catalogue has at least one part, if an empty one."""
        if self._rows or not self.parts:
            await self._flush()

    async def _flush(self) -> None:
        buffer = io.BytesIO()
        pq.write_table(to_arrow(self._rows), buffer, compression="zstd")
        data = buffer.getvalue()
        blob = self._name.part(len(self.parts))
        if not await self._store.put(blob, data, content_type=PARQUET):
            raise NameTakenError(blob)
        digest = hashlib.sha256(data).hexdigest()
        self.parts.append(Part(blob=blob, rows=len(self._rows), bytes=len(data), sha256=digest))
        self._rows = []


class NameTakenError(Exception):
    """Somebody else is writing this generation; take the next one."""


async def read_rows(store: BlobStore, manifest: Manifest, columns: list[str] | None = None) -> AsyncIterator[Any]:
    """The rows of a snapshot as dicts, part by part, each part checked against the manifest.

    :param columns: only these; None for all.
    :raises CorruptStoreError: a part is missing or is not what was written.
    """
    for part in manifest.parts:
        data = await store.read(part.blob)
        if data is None or hashlib.sha256(data).hexdigest() != part.sha256:
            raise CorruptStoreError(
                f"{part.blob} is {'missing' if data is None else 'not what was written'}. Use another snapshot of this "
                "source; run the backup again to make a new one."
            )
        for row in pq.read_table(io.BytesIO(data), columns=columns).to_pylist():
            yield row
