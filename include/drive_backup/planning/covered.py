"""Which items of what others share with a user are held by another source of the run. Pure.

An item is left out only when the Drive that it lives in was listed in this run, all of it, and that listing has the
item. What cannot be read today, or was listed in part, covers nothing: then the item stays in the snapshot of what is
shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from include.drive_backup.groups import Listed
from include.drive_backup.handover import SourceTask
from include.drive_backup.model import Item, Struct
from include.drive_backup.planning.tree import Tree
from include.drive_backup.values import read_text

#: The key of the manifest's ``left_out``.
COVERED = "covered"


class Homes(Struct, frozen=True):
    """The run's other sources: those that were listed wholly, and those that were not.

    :param covering: they were listed wholly.
    :param held: of these, the shared items that are in their listing.
    :param lacking: they could not be listed, or Drive did not list all of them.
    :param names: of users whose address is not the name of their source: ``user/<address>`` to that name.
    """

    covering: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    held: Mapping[str, frozenset[str]] = {}
    names: Mapping[str, str] = {}


#: No other source holds anything.
NO_HOMES = Homes()


def find_homes(rows: Sequence[Listed]) -> Homes:
    """What became of the sources when they were listed."""
    covering, lacking = set[str](), set[str]()
    for row in rows:
        (covering if _is_whole(row) else lacking).add(row.source)
    return Homes(covering=frozenset(covering), lacking=frozenset(lacking), names=_names(rows))


def _names(rows: Iterable[Listed]) -> dict[str, str]:
    tasks = [row.listing.task for row in rows if row.listing is not None]
    return {f"user/{task.address}": task.source for task in tasks if task.address and task.source.startswith("user/")}


def _is_whole(row: Listed) -> bool:
    # What is in a folder that its owner's listing cannot open may be shared with others all the same.
    return row.listing is not None and row.listing.complete and not row.listing.closed


class Covered:
    """Where the items of one source live, among the sources of the run.

    :param task: of the source; only ``shared`` sources have items that live elsewhere.
    """

    def __init__(self, task: SourceTask, homes: Homes) -> None:
        filters = task.filters
        # In its owner's Drive an item has another path, so the same globs may leave it out there.
        by_path = task.include or task.exclude or filters.folders or filters.exclude_folders
        self._covering = frozenset[str]() if by_path else homes.covering
        self._lacking = homes.lacking
        self._held = homes.held
        self._names = homes.names
        self._homes: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._covering or self._lacking)

    def note(self, item: Item) -> None:
        """Take in an item of the source."""
        homes = set(homes_of(item, self._names))
        for wanted in (self._covering, self._lacking):
            for home in sorted(homes & wanted):
                self._homes.setdefault(item.id, home)

    def within(self, tree: Tree) -> dict[str, str]:
        """The items of a tree that another source holds, and that source: also what is below a folder of it."""
        found = self._spread(tree, self._covering)
        return {ident: home for ident, home in found.items() if ident in self._held.get(home, ())}

    def lacking(self, tree: Tree, filtered: Mapping[str, str]) -> dict[str, int]:
        """How many items are in the tree, and selected, that live in sources that hold them not, by source."""
        found = self._spread(tree, self._lacking)
        return dict(Counter(home for ident, home in sorted(found.items()) if ident not in filtered))

    def _spread(self, tree: Tree, wanted: frozenset[str]) -> dict[str, str]:
        own = {ident: home for ident, home in self._homes.items() if home in wanted and ident in tree}
        if not own:
            return {}
        found = {}
        for ident in tree:
            above = (own[folder] for folder in tree.above(ident) if folder in own)
            home = own.get(ident) or next(above, None)
            if home is not None:
                found[ident] = home
        return found


def homes_of(item: Item, names: Mapping[str, str]) -> Iterator[str]:
    """The sources that an item may live in: its shared drive, its owners' Drives.

    :param names: see :class:`Homes`.
    """
    if item.drive_id is not None:
        yield f"drive/{item.drive_id}"
    for owner in item.owners:
        address = read_text(owner.get("emailAddress"))
        if address:
            home = f"user/{address.lower()}"
            yield names.get(home, home)
