"""Which corpus holds a source, and which of its items belong to the source. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from include.drive_backup.model import Item, Source, Struct
from include.drive_backup.ports import Outside
from include.drive_backup.values import read_flag

#: ``user``   the flat listing of what the account owns or can see
#: ``drive``  the flat listing of one shared drive
#: ``walk``   folder by folder: a folder that somebody shared. Drive's ``corpora=user`` promises only items that
#:            the account owns, has opened, or that were shared with it one by one, so a flat listing may miss some.
CorpusKind = Literal["user", "drive", "walk"]


class Corpus(Struct, frozen=True):
    """Where to look. ``root_id`` is the folder that the source starts at, ``since`` the time when it was made."""

    kind: CorpusKind
    root_id: str
    drive_id: str | None = None
    since: datetime | None = None


def corpus_of(source: Source, root: Item) -> Corpus:
    """The corpus that holds the folder ``root`` of a source."""
    if root.drive_id is not None or source.kind == "drive":
        return Corpus(kind="drive", root_id=root.id, drive_id=root.drive_id or root.id, since=root.created)
    if source.user is not None or owned(root):
        return Corpus(kind="user", root_id=root.id, since=root.created)
    return Corpus(kind="walk", root_id=root.id)


def owned(item: Item) -> bool:
    """Whether the account owns the item; an item of which Drive does not say so counts as owned, so is never lost."""
    mine = read_flag(item.resource.get("ownedByMe"))
    if mine is not None:
        return mine
    return not item.owners or any(owner.get("me") for owner in item.owners)


def belongs_to_my_drive(item: Item, decided: Mapping[str, bool]) -> bool | None:
    """Whether an item of the flat listing ``corpora=user`` belongs to the account's My Drive.

    That listing mixes My Drive with what others shared. An item belongs when the account owns it (also without a
    parent: an orphan), or when it lies in a folder that belongs (somebody else's file in my folder). A shared item
    without a parent that the account can see lies in "Shared with me", and so does all that is below it; items of
    shared drives are sources of their own.

    :param decided: the same answer for folders that are known by now, the root folder among them.
    :return: None while no parent is decided and one of them may still come.
    """
    if item.drive_id is not None:
        return False
    if owned(item):
        return True
    if not item.parents and item.resource.get("parents"):
        # It has some that cannot be read: better kept than lost.
        return True
    answers = [decided.get(parent) for parent in item.parents]
    if any(answers):
        return True
    return None if None in answers else False


def belonging(corpus: Corpus, items: Sequence[Item], decided: Mapping[str, bool]) -> dict[str, bool | None]:
    """Whether each item belongs to a corpus; None when that cannot be told.

    :param decided: the same answer for folders that are known; what it says of the items themselves is not used.
    """
    if corpus.kind != "user":
        return {item.id: item.drive_id in (None, corpus.drive_id) for item in items}
    known = {**decided}
    for item in items:
        known.pop(item.id, None)
    known[corpus.root_id] = True
    answers: dict[str, bool | None] = {}
    left = list(items)
    while left:
        for item in left:
            answers[item.id] = answer = belongs_to_my_drive(item, known)
            if answer is not None and item.kind == "folder":
                known[item.id] = answer
        still = [item for item in left if answers[item.id] is None]
        if len(still) == len(left):
            break
        left = still
    return answers


class MyDriveFilter:
    """Sifts the pages of ``corpora=user``: lets through what belongs, holds back what cannot be told yet.

    Held back are only items that others own, until the folder that they lie in has come: a folder's children may come
    before it.
    """

    def __init__(self, root_id: str) -> None:
        self._decided = {root_id: True}
        self._folders: dict[str, Outside] = {}
        self._waiting: dict[str, list[Item]] = {}

    def sift(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items of this page, and of earlier ones, that are now known to belong."""
        passed: list[Item] = []
        todo = list(reversed(items))
        while todo:
            item = todo.pop()
            answer = belongs_to_my_drive(item, self._decided)
            if answer is None:
                for parent in item.parents:
                    self._waiting.setdefault(parent, []).append(item)
                continue
            if answer:
                passed.append(item)
            if item.kind == "folder":
                # True stays: an item that came twice, and moved between, is better kept than lost.
                self._decided[item.id] = answer or self._decided.get(item.id, False)
                if not answer:
                    closed = item.can_list_children is False
                    self._folders[item.id] = Outside(id=item.id, trashed=item.trashed, closed=closed)
                todo.extend(self._waiting.pop(item.id, ()))
        return tuple(passed)

    @property
    def outside(self) -> tuple[Outside, ...]:
        """The folders that do not belong."""
        return tuple(folder for ident, folder in self._folders.items() if not self._decided[ident])

    def rest(self) -> tuple[Item, ...]:
        """After the last page: items whose parent never came. They are kept: the listing may have missed it."""
        left = {item.id: item for items in self._waiting.values() for item in items}
        self._waiting.clear()
        return tuple(left.values())
