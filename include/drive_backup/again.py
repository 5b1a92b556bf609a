"""Items whose state may change without an entry in the change feed, and that are asked for again each night.

Rights that are given to a folder above make no entry for what is in it. Nor does a folder that this account cannot see
when it is thrown away or fetched back, with the account's own items in it. Few such items are all asked for; of many
each listing takes the next share, so that the price of a night is bounded and each has its turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container
from typing import Any

import msgspec

from include.drive_backup.model import FOLDER, SHORTCUT

#: Items that one listing asks for.
ROOM = 200
#: Of these, how many are kept for files when there are many folders.
_FOR_FILES = 50


class Facts(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What only Drive's own resource tells."""

    #: As it came: a value that is not a flag must not keep the others of the listing from being read.
    explicitly_trashed: Any = None


class Known(msgspec.Struct, frozen=True, gc=False):
    """The part of a listed item that tells what follows from a change."""

    id: str
    mime_type: str
    parents: tuple[str, ...] = ()
    size: int | None = None
    trashed: bool = False
    can_download: bool | None = None
    can_list_children: bool | None = None
    resource: Facts = Facts()

    @property
    def refused(self) -> bool:
        """Whether the account may not have it all. A right that is given to a folder above makes no entry here."""
        # Drive says of what is no folder that it cannot list its children, and of folders that they are no downloads.
        if self.mime_type == FOLDER:
            return self.can_list_children is False
        return self.mime_type != SHORTCUT and self.can_download is False


def version_number(version: str | None) -> int:
    """Drive's count of an item's changes on the server, which fits 64 bits; 0 where Drive does not tell it."""
    return int(version) if version and version.isdecimal() and len(version) <= 18 else 0


class Again:
    """The items of one listing that are asked for again.

    :param subtree: the source is a folder: what no listed folder leads to is no part of it.
    """

    def __init__(self, *, subtree: bool) -> None:
        self._subtree = subtree
        self._first: set[str] = set()
        self._second: set[str] = set()

    def note(self, known: Known, seen: Container[str], trashed: Container[str]) -> None:
        """Take in an item of the listing before.

        :param seen: the folders that this account sees, the root among them.
        :param trashed: those of them that are in the trash.
        """
        unseen = not any(parent in seen for parent in known.parents)
        # A folder in the trash that is seen has an entry of its own when it is fetched back.
        hidden = known.trashed and known.resource.explicitly_trashed is False
        hidden = hidden and not any(parent in trashed for parent in known.parents)
        if unseen and self._subtree:
            return
        if hidden or (known.refused and known.mime_type == FOLDER):
            self._first.add(known.id)
        elif known.refused or (unseen and not known.trashed):
            self._second.add(known.id)

    def share(self, told: Collection[str], turn: int) -> tuple[list[str], int]:
        """The items to ask for now, and how many are not.

        What hides other items, or was taken for thrown away, goes before files that are listed anyway.

        :param told: items of which the change feed tells.
        :param turn: the number of this listing.
        """
        first, second = self._first.difference(told), self._second.difference(told)
        room = ROOM - min(len(second), _FOR_FILES)
        # The same room in each turn: else the shares would shift, and some items never have their turn.
        chosen = _in_turn(first, room, turn) + _in_turn(second, ROOM - min(len(first), room), turn)
        return chosen, len(first) + len(second) - len(chosen)


def _in_turn(idents: Collection[str], room: int, turn: int) -> list[str]:
    """A share of no more than ``room`` items; as many turns as needed take each item once."""
    if not idents:
        return []
    shares = -(-len(idents) // room)
    return sorted(idents, key=_rank)[turn % shares :: shares]


def _rank(ident: str) -> bytes:
    return hashlib.blake2b(ident.encode("utf-8", "surrogatepass"), digest_size=8).digest()
