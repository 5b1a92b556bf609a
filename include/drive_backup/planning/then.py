"""What was there at an instant that is over, and how sure that is. See docs/adr/0018.

Drive tells how things are now. Of an item that changed since, two snapshots may tell how it was: the nearest that was
over at the instant, and the nearest made on time after it. The change feed tells when each item changed last. Together
they give a listing as of the instant, from which the tree is built as from any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from include.drive_backup.hindsight import Changed
from include.drive_backup.model import Fidelity, Item, Look, Outcome, StoredContent, Struct
from include.drive_backup.planning.tree import Node, Tree

CHANGED_SINCE = (
    "It, or a folder above it, changed after the snapshot's instant: name and place are those of a later look."
)
NOT_TOLD = (
    "Nothing tells whether it, or a folder above it, was renamed or moved after the snapshot's instant: there is no "
    "snapshot that was over at the instant, or no change feed since. Name and place are those of a later look."
)
GONE_SINCE = (
    "Drive does not list it in this source any more, or has it in the trash. It changed last after the snapshot's "
    "instant, and what it was then cannot be told: this is how the last snapshot before had it."
)
GONE_SOMETIME = (
    "Drive does not list it in this source any more, or has it in the trash, and it cannot be told whether that is so "
    "since before or after the snapshot's instant. This is how the last snapshot before had it."
)
GONE_AND_LATER = (
    "It is gone since after the snapshot's instant, and had changed before that. This is how the next snapshot made on "
    "time had it; the version of the instant is not stored."
)


class Witness(msgspec.Struct, frozen=True, gc=False):
    """A row of a snapshot made on time."""

    item: Item
    outcome: Outcome
    fidelity: str
    contents: tuple[StoredContent, ...]
    reason: str | None
    message: str | None
    look: Look = Look()


class Then(Struct, frozen=True):
    """What becomes of an item of which a snapshot tells more than Drive.

    ``claimed``: that this is its content of the instant, only its modified time says.
    """

    witness: Witness
    claimed: bool = False
    fidelity: Fidelity = "exact"
    message: str | None = None


class Hindsight:
    """The listing as of an instant: :attr:`nodes`, and for some items what a snapshot has of them, :attr:`rows`.

    :param nodes: what Drive lists now; changed in place.
    :param thrown: the items of it that are in the trash: whether by themselves, and when, if Drive says so.
    :param within: items that are part of the source now, and not in the trash.
    """

    def __init__(
        self,
        instant: datetime,
        nodes: dict[str, Node],
        thrown: Mapping[str, tuple[bool | None, datetime | None]],
        within: Collection[str],
        feed: Mapping[str, Changed] | None,
    ) -> None:
        self.nodes = nodes
        self.rows: dict[str, Then] = {}
        #: counts of what may have been there at the instant, and is not in the snapshot
        self.untold: dict[str, int] = {}
        #: items that may be other than at the instant, so far as is known
        self.unsure = {ident for ident in nodes if not _settled(feed, ident, instant)}
        self._instant = instant
        self._thrown = thrown
        self._within = within
        self._feed = feed
        self._place_later: dict[str, str] = {}

    def why_place_later(self, ident: str, tree: Tree) -> str | None:
        """Why the path of an item may not be that of the instant; None when it is."""
        return next(
            (self._place_later[each] for each in (ident, *tree.above(ident)) if each in self._place_later), None
        )

    def resolve(self, before: Mapping[str, Witness], after: Mapping[str, Witness]) -> None:
        """Decide on each item that changed since, or is gone.

        :param before: rows of the snapshot before; all that are not settled otherwise.
        """
        self._part_trash()
        for ident in sorted(self.unsure | before.keys() | after.keys()):
            self._resolve(ident, before.get(ident), after.get(ident), before)
        known = self.nodes.keys() | before.keys() | after.keys()
        for ident, then in self.rows.items():
            self.nodes[ident] = _node(then.witness.item)
        later = (ident for ident, each in (self._feed or {}).items() if each.removed and not self._is_early(each.at))
        self._count("removed", sum(ident not in known for ident in later))

    def _resolve(
        self, ident: str, before: Witness | None, after: Witness | None, all_before: Mapping[str, Witness]
    ) -> None:
        node = self.nodes.get(ident)
        if before and after and _same(before, after):
            self.rows[ident] = _as_seen(after)
        elif after and after.fidelity == "exact" and self._was_early(before, after):
            self.rows[ident] = Then(witness=after, claimed=True)
            self._place_later[ident] = self._why
        elif ident in self._within:
            self._place_later[ident] = self._why
        elif before and not self._left_early(ident, before, all_before):
            told = after is not None or self._leaving(ident, before, all_before) is not None
            message = GONE_SINCE if told else GONE_SOMETIME
            self._put_back(ident, Then(witness=before, fidelity="earlier", message=message))
        elif after:
            self._put_back(ident, Then(witness=after, fidelity="head-later", message=GONE_AND_LATER))
        elif ident in self._thrown and node is not None:
            self._untrash(ident, node)

    @property
    def _why(self) -> str:
        return NOT_TOLD if self._feed is None else CHANGED_SINCE

    def _put_back(self, ident: str, then: Then) -> None:
        self.rows[ident] = then
        self._place_later[ident] = then.message or GONE_SOMETIME

    def _part_trash(self) -> None:
        """What is in the trash only because a folder above is: the folder's time counts, not its own."""
        for ident, (by_itself, _) in self._thrown.items():
            if by_itself is not True and self._thrown_above(ident):
                self.nodes[ident] = replace(self.nodes[ident], trashed=False)

    def _thrown_above(self, ident: str) -> bool:
        seen, queue = {ident}, list(self.nodes[ident].parents)
        while queue:
            folder = queue.pop()
            if folder in seen or folder not in self.nodes:
                continue
            seen.add(folder)
            if folder in self._thrown and self._thrown[folder][0] is not False:
                return True
            queue.extend(self.nodes[folder].parents)
        return False

    def _untrash(self, ident: str, node: Node) -> None:
        """An item in the trash that no snapshot made on time has: there at the instant, if it was thrown away later."""
        by_itself, when = self._thrown[ident]
        if by_itself is False or (when is None and self._feed is None):
            # In a folder that is in the trash: it may have been moved there.
            self._count("trashed", 1)
        elif when is None or not self._is_early(when):
            self.nodes[ident] = replace(node, trashed=False)
            self._place_later[ident] = CHANGED_SINCE

    def _left_early(self, ident: str, before: Witness, all_before: Mapping[str, Witness]) -> bool:
        when = self._leaving(ident, before, all_before)
        return when is not None and self._is_early(when)

    def _leaving(self, ident: str, before: Witness, all_before: Mapping[str, Witness]) -> datetime | None:
        """When it left, or a folder that it was in; None when that cannot be told."""
        by_itself, when = self._thrown.get(ident, (False, None))
        if by_itself and when is not None:
            return when
        entry = (self._feed or {}).get(ident)
        if entry is not None:
            return entry.at
        seen, queue = {ident}, list(before.item.parents)
        while queue:
            folder = queue.pop()
            if folder in seen:
                continue
            seen.add(folder)
            entry = (self._feed or {}).get(folder)
            if entry is not None and (folder in self._thrown or folder not in self.nodes):
                return entry.at
            if folder in all_before:
                queue.extend(all_before[folder].item.parents)
        return None

    def _was_early(self, before: Witness | None, after: Witness) -> bool:
        """Whether the content that a later snapshot has came before the instant, by its modified time."""
        item = after.item
        disproved = before is not None and before.look.disproves(item.modified, item.size, item.md5, item.sha256)
        return self._is_early(item.modified) and not disproved

    def _is_early(self, moment: datetime | None) -> bool:
        return moment is not None and moment <= self._instant

    def _count(self, what: str, count: int) -> None:
        if count:
            self.untold[what] = self.untold.get(what, 0) + count


def _settled(feed: Mapping[str, Changed] | None, ident: str, instant: datetime) -> bool:
    """Whether the change feed proves that an item that Drive lists is as it was."""
    if feed is None:
        return False
    entry = feed.get(ident)
    return entry is None or (not entry.removed and entry.at is not None and entry.at <= instant)


def _as_seen(witness: Witness) -> Then:
    """An item that is as a snapshot has it; that its content is, that snapshot may not have known itself."""
    if witness.fidelity == "unproven":
        return Then(witness=witness, fidelity="unproven", message=witness.message)
    return Then(witness=witness)


def _same(before: Witness, after: Witness) -> bool:
    return before.item.version is not None and before.item.version == after.item.version


def _node(item: Item) -> Node:
    return Node(
        id=item.id,
        name=item.name,
        mime_type=item.mime_type,
        parents=item.parents,
        created=item.created,
        version=item.version,
        trashed=item.trashed,
    )
