"""What differs between two snapshots of a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal

from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.catalogue import read_left, read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Struct
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import BlobStore

_COLUMNS = ["item_id", "path", "kind", "outcome", "contents"]


class Change(Struct, frozen=True):
    """One item that differs.

    :param change: ``added``, ``removed``, ``changed`` (other bytes), ``moved`` (or renamed), ``changed, moved``.
    :param path: as it is shown.
    :param was: the path before, when it is another one.
    :param state: of what was removed, what became of it: a state of docs/format.md, "What left".
    """

    change: Literal["added", "removed", "changed", "moved", "changed, moved"]
    item_id: str
    path: str
    was: str | None = None
    state: str | None = None


async def states_between(
    store: BlobStore, before: Manifest, after: Manifest, damaged: Callable[[str], None]
) -> dict[str, str]:
    """What became of items that left after one snapshot and until another, by id, as these snapshots say it.

    :param damaged: gets a sentence for each of them that cannot tell: what differs can be told without it.
    """
    repository, states = SnapshotRepository(store), dict[str, str]()
    for name in await repository.names(after.name.series):
        if not before.name.instant < name.instant <= after.name.instant:
            continue
        try:
            manifest = await repository.read(name)
            if manifest is not None:
                states.update({row["item_id"]: row["state"] async for row in read_left(store, manifest)})
        except UNREADABLE as error:
            damaged(f"What became of what was removed by {name.ident} is not known. {error}")
    return states


async def compare(
    store: BlobStore, before: Manifest, after: Manifest, states: Mapping[str, str]
) -> AsyncIterator[Change]:
    """What happened from one snapshot to another; in the order of the later one, what was removed last.

    :param states: from :func:`states_between`.
    :raises CorruptStoreError: a catalogue is damaged.
    """
    old = {row["item_id"]: (_path(row), _content(row)) async for row in read_rows(store, before, _COLUMNS)}
    async for row in read_rows(store, after, _COLUMNS):
        ident, path = row["item_id"], _path(row)
        if ident not in old:
            yield Change(change="added", item_id=ident, path=path)
            continue
        was, content = old.pop(ident)
        changed, moved = content != _content(row), was != path
        if changed or moved:
            kind: Any = ", ".join(word for word, true in (("changed", changed), ("moved", moved)) if true)
            yield Change(change=kind, item_id=ident, path=path, was=was if moved else None)
    for ident, (path, _) in old.items():
        yield Change(change="removed", item_id=ident, path=path, state=states.get(ident))


def _path(row: dict[str, Any]) -> str:
    return shown_path(row["path"], folder=row["kind"] == "folder")


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a reader gets of an item: the bytes, or the fact that there are none."""
    stored = sorted((content["format"], content["sha256"]) for content in row["contents"] or ())
    return (row["outcome"] in ("unavailable", "failed"), *stored)
