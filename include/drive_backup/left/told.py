"""What the change feed tells of items that may have left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from include.drive_backup.model import Item, Struct

#: What became of an item that the snapshot before had.
#: ``trashed``      it, or a folder above it, is in Drive's trash
#: ``deleted``      it was removed, and its owner, asked for it, does not find it
#: ``access_lost``  it is there, or was when it was last seen, and Drive does not show it to this account any more
#: ``moved``        it is there, and no longer part of the source
#: ``gone``         Drive does not list it, and does not tell why
#: ``not_listed``   Drive's listing was incomplete and did not have it: nothing follows from that
#: ``left_out``     it is there, and the job does not select it
State = Literal["trashed", "deleted", "access_lost", "moved", "gone", "not_listed", "left_out"]


class Told(Struct, frozen=True):
    """What is known of an item that may have left. Without a state only the time of its last change is.

    :param to: where it is now: ``drive/<id>``, ``user/<owner>`` or ``folder/<id>``.
    :param reason: a stable word that says what the state rests on; ``message`` is a sentence.
    :param changed: when Drive's change feed says that it changed.
    :param folder: of a trashed one, the folder that was thrown away with it in it.
    """

    id: str
    state: State | None = None
    reason: str | None = None
    message: str | None = None
    to: str | None = None
    folder: str | None = None
    changed: datetime | None = None


class Evidence:
    """All that is told of the items of one source; of no more items than a change feed may have entries."""

    def __init__(self) -> None:
        self.times: dict[str, datetime] = {}
        self.told: dict[str, Told] = {}

    def note(self, told: Told) -> None:
        """Take in what was told of one item."""
        self.told[told.id] = told

    def rows(self) -> Iterator[Told]:
        """All of it, each with the time that the feed tells."""
        for ident in sorted(self.told.keys() | self.times.keys()):
            told = self.told.get(ident) or Told(id=ident)
            yield msgspec.structs.replace(told, changed=self.times.get(ident))


def moved(item: Item) -> Told:
    """An item that is there, and no longer part of the source."""
    if item.drive_id is not None:
        return Told(
            id=item.id,
            state="moved",
            to=f"drive/{item.drive_id}",
            reason="otherDrive",
            message="It is in a shared drive that the source does not hold.",
        )
    owner = owner_of(item)
    return Told(
        id=item.id,
        state="moved",
        to=f"user/{owner}" if owner else None,
        reason="otherOwner",
        message="It is in somebody else's My Drive, and no longer in the source.",
    )


def deleted(ident: str) -> Told:
    """An item that its owner's own change feed says is removed, and that its owner does not find."""
    message = (
        "Its owner's change feed says that it was removed, and Drive does not find it: deleted for good (or, which "
        "Drive does not tell apart, handed over to somebody who does not share it back)."
    )
    return Told(id=ident, state="deleted", reason="feedRemoved", message=message)


def deleted_by(owner: str, ident: str) -> Told:
    """Somebody else's item that its owner does not find any more."""
    message = (
        f"Its owner {owner} does not find it any more: deleted for good (or, which Drive does not tell apart, handed "
        "over to somebody who does not share it back)."
    )
    return Told(id=ident, state="deleted", reason="ownerNotFound", message=message)


def kept_by(owner: str, item: Item) -> Told:
    """Somebody else's item that this account does not see any more, as its owner sees it."""
    if item.drive_id is not None:
        return moved(item)
    if item.trashed:
        message = f"It is in the trash of its owner {owner}."
        return Told(id=item.id, state="trashed", reason="ownersTrash", message=message)
    message = f"It is there: its owner {owner} does not share it with this account any more."
    return Told(id=item.id, state="access_lost", reason="notShared", message=message)


def hidden_in(folder: str, ident: str) -> Told:
    """An item of a folder that does not show any more what it holds."""
    message = (
        f"The folder {folder}, in which it was, does not show to this account any more what it holds (limited access). "
        "Give the account access to the folder."
    )
    return Told(id=ident, state="access_lost", reason="cannotListChildren", message=message)


def owner_of(item: Item) -> str | None:
    """The address of its owner, in lower case; None in shared drives, and where Drive does not tell it."""
    return item.owner.lower() if item.owner else None


def told_prefix(work: str) -> str:
    """Where it is noted what was told."""
    return f"{work}/told-"
