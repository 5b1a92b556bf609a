"""What differs between two snapshots of a source."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore

_COLUMNS = ["item_id", "path", "outcome", "contents"]


class Change(Struct, frozen=True):
    """One item that differs.

    :param change: ``added``, ``removed``, ``changed`` (other bytes), ``moved`` (or renamed), ``changed, moved``.
    :param was: the path before, when it is another one.
    """

    change: Literal["added", "removed", "changed", "moved", "changed, moved"]
    item_id: str
    path: str
    was: str | None = None


async def compare(store: BlobStore, before: Manifest, after: Manifest) -> AsyncIterator[Change]:
    """What happened from one snapshot to another; in the order of the later one, what was removed last.

    :raises CorruptStoreError: a catalogue is damaged.
    """
    old = {row["item_id"]: (row["path"], _content(row)) async for row in read_rows(store, before, _COLUMNS)}
    async for row in read_rows(store, after, _COLUMNS):
        ident, path = row["item_id"], row["path"]
        if ident not in old:
            yield Change(change="added", item_id=ident, path=path)
            continue
        was, content = old.pop(ident)
        changed, moved = content != _content(row), was != path
        if changed or moved:
            kind: Any = ", ".join(word for word, true in (("changed", changed), ("moved", moved)) if true)
            yield Change(change=kind, item_id=ident, path=path, was=was if moved else None)
    for ident, (path, _) in old.items():
        yield Change(change="removed", item_id=ident, path=path)


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a reader gets of an item: the bytes, or the fact that there are none."""
    stored = sorted((content["format"], content["sha256"]) for content in row["contents"] or ())
    return (row["outcome"] in ("unavailable", "failed"), *stored)
