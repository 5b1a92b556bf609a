"""Which items a person wants. What is not wanted is left out of the snapshot and counted by the filter that said so.

Globs on paths and ids of folders say which branches of the tree; they judge folders, too. MIME type, size, owner and
time judge everything but folders. What Drive does not tell of an item never leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from fnmatch import fnmatchcase

from include.drive_backup.glob_watch import GlobWatch
from include.drive_backup.globs import compile_globs
from include.drive_backup.handover import Filters, SourceTask
from include.drive_backup.model import Item, parse_instant
from include.drive_backup.paths import ItemPath
from include.drive_backup.planning.tree import Tree
from include.drive_backup.values import read_text

#: The keys of the manifest's ``left_out``; the first is that of the globs.
PATH, FOLDER_ID, MIME_TYPE, SIZE, OWNER, MODIFIED = (
    "filtered",
    "filtered_folder",
    "filtered_mime_type",
    "filtered_size",
    "filtered_owner",
    "filtered_modified",
)


class PathFilter:
    """Two lists of globs in gitignore's grammar, on shown paths and on Drive's own names. An empty ``include`` means
    everything.

    :raises ConfigError: names the bad glob.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = compile_globs(include) if include else None
        self._exclude = compile_globs(exclude) if exclude else None
        #: Has seen all that :meth:`refused` looked at.
        self.watch = GlobWatch((*include, *exclude))

    def keeps(self, path: ItemPath) -> bool:
        """Whether the item at a path is wanted."""
        if self._exclude is not None and self._exclude.match(path):
            return False
        return self._include is None or self._include.match(path)

    def refused(self, tree: Tree) -> Iterator[str]:
        """The items of a tree that are not wanted."""
        if self._include is not None or self._exclude is not None:
            for ident in tree:
                path = tree.item_path(ident)
                self.watch.see(path)
                if not self.keeps(path):
                    yield ident


class ItemFilter:
    """What can be told of an item alone."""

    def __init__(self, filters: Filters) -> None:
        self._wanted = _lower(filters.mime_types)
        self._unwanted = _lower(filters.exclude_mime_types)
        self._owners = _lower(filters.owners)
        self._min, self._max = filters.min_size, filters.max_size
        self._since: datetime | None = parse_instant(filters.modified_since) if filters.modified_since else None

    def __bool__(self) -> bool:
        given = (self._wanted, self._unwanted, self._owners)
        return any(given) or any(each is not None for each in (self._min, self._max, self._since))

    def refuses(self, item: Item) -> str | None:
        """The filter that leaves an item out, if one does."""
        if item.kind == "folder":
            return None
        if not self._right_type(item.mime_type.lower()):
            return MIME_TYPE
        if not self._right_size(item):
            return SIZE
        if not self._right_owner(item):
            return OWNER
        early = self._since is not None and item.modified is not None and item.modified < self._since
        return MODIFIED if early else None

    def _right_type(self, mime_type: str) -> bool:
        return (not self._wanted or _one_of(mime_type, self._wanted)) and not _one_of(mime_type, self._unwanted)

    def _right_size(self, item: Item) -> bool:
        if item.kind != "file" or item.size is None:
            return True
        return (self._min is None or item.size >= self._min) and (self._max is None or item.size <= self._max)

    def _right_owner(self, item: Item) -> bool:
        texts = (read_text(owner.get("emailAddress")) for owner in item.owners)
        owners = [text.lower() for text in texts if text]
        return not (self._owners and owners) or any(_one_of(owner, self._owners) for owner in owners)


def left_out(
    tree: Tree, task: SourceTask, refused: Mapping[str, str], paths: PathFilter | None = None
) -> dict[str, str]:
    """The items of a tree that are not wanted, each with the filter that says so.

    A folder that holds a wanted item is wanted too: a restore needs it.

    :param refused: what the :class:`ItemFilter` said of single items.
    :param paths: judges by the task's globs; None makes one.
    """
    found = dict.fromkeys((paths or PathFilter(task.include, task.exclude)).refused(tree), PATH)
    for ident in _outside(tree, task.filters):
        found.setdefault(ident, FOLDER_ID)
    for ident, reason in refused.items():
        if ident in tree:
            found.setdefault(ident, reason)
    if not found:
        return found
    wanted = tree.with_folders({ident for ident in tree if ident not in found})
    return {ident: reason for ident, reason in found.items() if ident not in wanted}


def _outside(tree: Tree, filters: Filters) -> Iterator[str]:
    wanted, unwanted = set(filters.folders), set(filters.exclude_folders)
    if not wanted and not unwanted:
        return
    for ident in tree:
        branch: AbstractSet[str] = {ident, *tree.above(ident), tree.root_id}
        if (wanted and not branch & wanted) or branch & unwanted:
            yield ident


def _lower(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.lower() for text in texts)


def _one_of(text: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)
