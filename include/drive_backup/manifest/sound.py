"""Whether a snapshot is sound: all that it consists of, and all that it refers to, is in the container as written."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence, Set  # noqa: PYI025 - the abstract one
from typing import TYPE_CHECKING, Any

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_batches
from include.drive_backup.manifest.inventory import fingerprint, load_sound
from include.drive_backup.manifest.manifest import Manifest, Part
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.view import COLUMNS, View
from include.drive_backup.ports import BlobStore

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


async def is_sound(store: BlobStore, manifest_name: str) -> bool:
    """Whether a snapshot that was committed is there, with all that it consists of and refers to."""
    name = parse_snapshot(manifest_name)
    manifest = await SnapshotRepository(store).try_read(name) if name else None
    if name is None or manifest is None:
        return False
    return await view_if_sound(store, manifest, await load_sound(store, name.source)) is not None


async def view_if_sound(store: BlobStore, manifest: Manifest, stored: Set[bytes]) -> View | None:
    """What a reader sees of a snapshot; None, and a warning, when a part or a content of it is missing or damaged.

    :param stored: fingerprints of what is in the container, from :func:`.inventory.load_sound`.
    """
    view, details, left = View(), manifest.details, manifest.left
    try:
        async for row in _rows(store, "items", manifest.parts, manifest.digest, COLUMNS):
            _check_contents(row["contents"] or (), stored)
            view.add(row)
        if details is not None:
            async for row in _rows(store, "details", details.parts, details.digest):
                view.add_detail(row)
        if left is not None:
            async for _ in _rows(store, "left", left.parts, left.digest, ["item_id"]):
                pass
    except CorruptStoreError as error:
        log.warning("%s is damaged. %s", manifest.name.manifest, error)
        return None
    return view


def _check_contents(contents: Sequence[dict[str, Any]], stored: Set[bytes]) -> None:
    for content in contents:
        if fingerprint(content["blob"], content["size"], content["md5"]) not in stored:
            raise CorruptStoreError(f"{content['blob']} is not in the container as it was written.")


async def _rows(
    store: BlobStore, kind: str, parts: Sequence[Part], digest: str, columns: list[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a table.

    :raises CorruptStoreError: they are not those of the digest, seen after the last one.
    """
    from include.drive_backup.manifest.digest import Digest  # noqa: PLC0415 - imports pyarrow

    found = Digest()
    async for batch in read_batches(store, kind, parts, None):
        found.add(batch)
        for row in _picked(batch, columns).to_pylist():
            yield row
    if found.hex != digest:
        raise CorruptStoreError(f"The rows of {kind} are not those of the manifest's digest.")


def _picked(batch: pa.RecordBatch, columns: list[str] | None) -> pa.RecordBatch:
    return batch if columns is None else batch.select(columns)
