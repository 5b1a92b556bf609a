"""What the listing itself tells of items that the snapshot before had and the new one has not: rows for the commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.handover import LeftRef, Listing, SourceTask
from include.drive_backup.left.told import State, Told, hidden_in, told_prefix
from include.drive_backup.manifest.catalogue import read_rows_but
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Struct
from include.drive_backup.planning.tree import Node, Tree
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import PartWriter, read_parts

log = logging.getLogger(__name__)

#: What a row keeps of the catalogue that had the item last.
KEPT = ["item_id", "path", "name", "kind", "mime_type", "size", "modified", "owner"]


class LeftRow(Struct, frozen=True):
    """One item that left: what the snapshot before said of it, and what became of it, see :class:`.told.Told`."""

    item_id: str
    path: str
    name: str
    kind: str
    mime_type: str
    state: State
    size: int | None = None
    modified: datetime | None = None
    owner: str | None = None
    trashed_with: str | None = None
    moved_to: str | None = None
    reason: str | None = None
    message: str | None = None
    changed: datetime | None = None


def left_prefix(plan: str) -> str:
    """Where the plan writes these rows."""
    return f"{plan}/left-"


async def write_left(
    store: BlobStore, base: str | None, plan: str, listing: Listing, whereabouts: Whereabouts
) -> LeftRef | None:
    """Write a row for each item of the snapshot before that the plan has not.

    :param base: the name of that snapshot's manifest, where it is known.
    :return: None when it cannot be told: there is no complete snapshot before, or its catalogue is damaged. Also of a
        dry run, which has no snapshot.
    """
    before = None if listing.task.dry_run else await _before(store, listing.task, base)
    if before is None:
        return None
    prefix = told_prefix(listing.work)
    told = {each.id: each async for each in read_parts(store, prefix, Told, parts=listing.told)}
    try:
        parents: dict[str, Sequence[str]] = {}
        if whereabouts.some_are_closed:
            rows = read_rows_but(store, before, ["item_id", "parents"], whereabouts.wanted)
            parents = {values["item_id"]: values["parents"] async for values in rows}
        async with PartWriter[LeftRow](store, left_prefix(plan)) as writer:
            async for values in read_rows_but(store, before, KEPT, whereabouts.wanted):
                await writer.write(_row(values, whereabouts.of(values["item_id"], told, parents)))
    except CorruptStoreError as error:
        log.warning("%s: what became of items that left cannot be told. %s", listing.task.source, error)
        return None
    return LeftRef(base=before.name.manifest, parts=writer.parts)


async def _before(store: BlobStore, task: SourceTask, base: str | None) -> Manifest | None:
    # A run that is asked to list everything follows no snapshot, but there may be one before it.
    repository, name = SnapshotRepository(store), parse_snapshot(base) if base else None
    return await repository.try_read(name) if name else await repository.before(task.snapshots, task.instant)


class Whereabouts:
    """Says of an item that is not wanted where it is.

    :param wanted: the items of the snapshot, by id.
    :param filtered: of items of the tree that the job does not select, the filter that says so.
    :param complete: whether Drive says that its listing is.
    """

    def __init__(
        self,
        tree: Tree,
        nodes: Mapping[str, Node],
        wanted: Collection[str],
        filtered: Mapping[str, str],
        *,
        complete: bool,
    ) -> None:
        self.wanted = wanted
        self._tree = tree
        self._nodes = nodes
        self._filtered = filtered
        self._complete = complete

    @property
    def some_are_closed(self) -> bool:
        """Whether any folder does not show what it holds: only then it matters who was in which folder."""
        return any(node.is_folder and node.can_list_children is False for node in self._nodes.values())

    def of(self, ident: str, told: Mapping[str, Told], parents: Mapping[str, Sequence[str]]) -> Told:
        """Where it is.

        :param told: what was told of items beside the listing, by id.
        :param parents: of items that left: the folders that they were in.
        """
        node = self._nodes.get(ident)
        if node is None:
            return self._not_listed(ident, told.get(ident), parents)
        found = self._listed(node)
        time = told.get(found.folder or ident)
        return msgspec.structs.replace(found, changed=time.changed if time else None)

    def _not_listed(self, ident: str, told: Told | None, parents: Mapping[str, Sequence[str]]) -> Told:
        if not self._complete and (told is None or told.state in (None, "deleted", "gone")):
            message = "Drive's listing was incomplete and did not have it; it may still be there."
            return Told(id=ident, state="not_listed", reason="incompleteSearch", message=message)
        if told is not None and told.state is not None:
            return told
        changed = told.changed if told else None
        if (folder := self._hiding(ident, parents)) is not None:
            return msgspec.structs.replace(hidden_in(folder, ident), changed=changed)
        message = "Drive does not list it any more: it was deleted, or it is out of this account's sight."
        return Told(id=ident, state="gone", reason="notLookedAt", message=message, changed=changed)

    def _hiding(self, ident: str, parents: Mapping[str, Sequence[str]]) -> str | None:
        """The listed folder above it that does not show what it holds; None when there is none."""
        seen, above = {ident}, list(parents.get(ident) or ())
        while above:
            folder = above.pop(0)
            node = self._nodes.get(folder)
            if node is not None and node.is_folder and node.can_list_children is False:
                return folder
            if node is None and folder not in seen:
                seen.add(folder)
                above.extend(parents.get(folder) or ())
        return None

    def _listed(self, node: Node) -> Told:
        if node.id in self._tree:
            reason = self._filtered.get(node.id, "created_later")
            message = "It is there; the job does not select it."
            if reason == "created_later":
                message = "Drive says that it was created after the instant of the snapshot."
            if reason == "covered":
                message = "It is there; another source of the run holds it."
            return Told(id=node.id, state="left_out", reason=reason, message=message)
        top = self._thrown_away(node)
        if top is not None:
            above = None if top == node.id else top
            message = "It is in Drive's trash." if above is None else "A folder above it is in Drive's trash."
            return Told(id=node.id, state="trashed", reason="trashed", message=message, folder=above)
        parent = next(iter(node.parents), None)
        return Told(
            id=node.id,
            state="moved",
            to=f"folder/{parent}" if parent else None,
            reason="outsideFolder",
            message="It is no longer in the folder that is the source.",
        )

    def _thrown_away(self, node: Node) -> str | None:
        """The highest folder above it that is in the trash, or the item itself; None when none is."""
        top, seen, above = node.id if node.trashed else None, {node.id}, list(node.parents)
        while above:
            folder = self._nodes.get(above.pop(0))
            if folder is not None and folder.id not in seen:
                seen.add(folder.id)
                above.extend(folder.parents)
                top = folder.id if folder.trashed else top
        return top


def _row(values: dict[str, Any], told: Told) -> LeftRow:
    return LeftRow(
        **values,
        state=told.state or "gone",
        trashed_with=told.folder,
        moved_to=told.to,
        reason=told.reason,
        message=told.message,
        changed=told.changed,
    )
