"""Where each item is: paths rebuilt from the flat listing's parents.

Drive's listing is flat, unordered and not a snapshot: children arrive before their folders, parents may be unreadable
or gone, old items may have several, and a listing that was read while things moved can even show a loop. So the tree
is built after the last page, breadth first from the root, without recursion, and what the walk does not reach is
placed by rule, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec

from include.drive_backup.blob.names import ORPHANS, TRASH, sibling_segments
from include.drive_backup.model import FOLDER
from include.drive_backup.paths import OURS, ItemPath

#: Our own folders as parents of items. No id from Drive has a control character (``values.read_id``), so none is taken
#: for one of ours.
_ORPHANS, _TRASH = f"\0{ORPHANS}", f"\0{TRASH}"
OWN = {_ORPHANS: ORPHANS, _TRASH: TRASH}


class Node(msgspec.Struct, frozen=True, gc=False):
    """The part of an item that the tree needs. It decodes from the same JSON as ``Item``, at a tenth of the memory."""

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...] = ()
    created: datetime | None = None
    version: str | None = None
    trashed: bool = False
    can_list_children: bool | None = None

    @property
    def is_folder(self) -> bool:
        """Only a real folder can hold items; a shortcut to one is never followed."""
        return self.mime_type == FOLDER


class Tree:
    """The items of a source and where they are: the live ones, and on request those in the trash.

    An item with several parents is placed in the one nearest to the root, and among equals in the one with the lowest
    id; all its parents stay in its resource.
    """

    def __init__(self, nodes: Mapping[str, Node], root_id: str, parent: dict[str, str], trashed: int) -> None:
        self._nodes = nodes
        #: the folder that the source starts at
        self.root_id = root_id
        self._parent = parent
        self._segment = _segments(nodes, parent)
        #: items left out because they, or a folder above them, are in the trash
        self.trashed = trashed
        #: items that were placed directly in :data:`ORPHANS`
        self.orphans = sum(1 for folder in parent.values() if folder == _ORPHANS)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._parent

    def __iter__(self) -> Iterator[str]:
        return iter(self._parent)

    def __len__(self) -> int:
        return len(self._parent)

    def is_folder(self, item_id: str) -> bool:
        """Whether the item is a folder."""
        return self._nodes[item_id].is_folder

    def segment(self, item_id: str) -> str:
        """The item's own encoded name, unique among its siblings."""
        return self._segment[item_id]

    def folders(self, item_id: str) -> tuple[str, ...]:
        """Encoded names of the folders above, from the root down."""
        return tuple(reversed([OWN.get(folder) or self._segment[folder] for folder in self.above(item_id)]))

    def path(self, item_id: str) -> str:
        """Encoded names from the root to the item, joined by ``/``: unique within the source."""
        return "/".join((*self.folders(item_id), self._segment[item_id]))

    def item_path(self, item_id: str) -> ItemPath:
        """The path as people read it, and as globs do."""
        names = (self._name(item_id), *(self._name(folder) for folder in self.above(item_id)))
        segments = (*self.folders(item_id), self._segment[item_id])
        return ItemPath(segments, tuple(reversed(names)), self.is_folder(item_id))

    def above(self, item_id: str) -> Iterator[str]:
        """The ids of the folders above, nearest first, without the root. The last may be a folder of our own."""
        folder = self._parent[item_id]
        while folder != self.root_id:
            yield folder
            folder = self._parent.get(folder, self.root_id)

    def with_folders(self, ids: AbstractSet[str]) -> set[str]:
        """Some items and all folders above them."""
        return {*ids, *(folder for ident in ids for folder in self.above(ident) if folder in self._parent)}

    def _name(self, item_id: str) -> str:
        return OURS + OWN[item_id] if item_id in OWN else self._nodes[item_id].name


def build_tree(
    nodes: Mapping[str, Node], root_id: str, *, subtree: bool, rootless: bool = False, trash: bool = False
) -> Tree:
    """Place every live item, and those in the trash if they are wanted.

    :param nodes: the listing, by id.
    :param root_id: the folder that the source starts at; it is not placed itself.
    :param subtree: the source is a folder: what is not below the root is no part of it. Otherwise the listing is the
        source, and live items that no folder leads to are placed in :data:`ORPHANS`.
    :param rootless: the source has no folder that it starts at: items that no folder leads to are its top.
    :param trash: place what is in the trash in :data:`TRASH`, a thrown-away folder with what is below it.
    """
    top = root_id if rootless else _ORPHANS
    children = _children(nodes, root_id)
    live = {ident for ident, node in nodes.items() if not node.trashed and ident != root_id}
    parent: dict[str, str] = {}
    _spread([root_id], children, live, parent)
    if not subtree:
        held = {child for held in children.values() for child in held}
        _adopt(sorted(live - parent.keys() - held), children, live, parent, top)
    trashed = _trash(nodes, children, parent, root_id, subtree=subtree)
    if not subtree:
        _cut_loops(live - parent.keys() - trashed, children, parent, top)
    if not trash:
        return Tree(nodes, root_id, parent, trashed=len(trashed))
    inside = {child for folder in trashed for child in children.get(folder, ())}
    _adopt(sorted(trashed - inside), children, trashed, parent, _TRASH)
    _cut_loops(trashed - parent.keys(), children, parent, _TRASH)
    return Tree(nodes, root_id, parent, trashed=0)


def _children(nodes: Mapping[str, Node], root_id: str) -> dict[str, list[str]]:
    """Who is in which listed folder (the root is listed by definition), trash included."""
    children: dict[str, list[str]] = {}
    for ident, node in nodes.items():
        for folder in node.parents:
            if ident != root_id and (folder == root_id or (folder in nodes and nodes[folder].is_folder)):
                children.setdefault(folder, []).append(ident)
    return children


def _spread(
    start: Iterable[str], children: Mapping[str, list[str]], allowed: AbstractSet[str], parent: dict[str, str]
) -> None:
    """Walk down level by level, lowest id first, and note the folder from which each item is first reached."""
    level = sorted(start)
    while level:
        reached = []
        for folder in level:
            for child in children.get(folder, ()):
                if child in allowed and child not in parent:
                    parent[child] = folder
                    reached.append(child)
        level = sorted(reached)


def _adopt(
    orphans: Sequence[str],
    children: Mapping[str, list[str]],
    allowed: AbstractSet[str],
    parent: dict[str, str],
    place: str,
) -> None:
    """Place items in a folder of our own, and what is below them below them."""
    parent.update(dict.fromkeys(orphans, place))
    _spread(orphans, children, allowed, parent)


def _trash(
    nodes: Mapping[str, Node],
    children: Mapping[str, list[str]],
    parent: Mapping[str, str],
    root_id: str,
    *,
    subtree: bool,
) -> AbstractSet[str]:
    """Trashed items of the source, and what only they hold: Drive may not mark the children of a trashed folder."""
    tops = {ident for ident, node in nodes.items() if node.trashed and ident != root_id}
    if subtree:
        tops = {
            ident for ident in tops if any(folder == root_id or folder in parent for folder in nodes[ident].parents)
        }
    below: dict[str, str] = {}
    _spread(tops, children, nodes.keys() - parent.keys() - tops - {root_id}, below)
    return tops | below.keys()


def _cut_loops(looped: AbstractSet[str], children: Mapping[str, list[str]], parent: dict[str, str], place: str) -> None:
    """Place folders that only hold each other: each loop is cut at the lowest id that is left."""
    for ident in sorted(looped):
        if ident not in parent:
            _adopt([ident], children, looped, parent, place)


def _segments(nodes: Mapping[str, Node], parent: Mapping[str, str]) -> dict[str, str]:
    by_folder: dict[str, list[tuple[str, str, datetime | None]]] = {}
    for ident, folder in parent.items():
        by_folder.setdefault(folder, []).append((ident, nodes[ident].name, nodes[ident].created))
    segments: dict[str, str] = {}
    for siblings in by_folder.values():
        segments.update(sibling_segments(siblings))
    return segments
