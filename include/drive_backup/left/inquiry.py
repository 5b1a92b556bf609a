"""Ask Drive what became of items that the change feed says are removed. docs/adr/0017 has the reasons."""

from __future__ import annotations

import logging

from include.drive_backup.errors import DriveBackupError, FeedLostError, ItemUnavailableError
from include.drive_backup.left.told import Evidence, deleted, deleted_by, kept_by, moved, owner_of
from include.drive_backup.model import Item
from include.drive_backup.ports import Drive

log = logging.getLogger(__name__)


class Inquiry:
    """Asks whoever owns an item: this account, or another one that the credential may act for.

    :param evidence: takes the answers.
    :param most: items that are asked for.
    """

    def __init__(self, drive: Drive, evidence: Evidence, most: int) -> None:
        self._drive = drive
        self._evidence = evidence
        self._left = most
        self._me: str | None = None
        self._mute: set[str] = set()

    async def ask(self, item: Item) -> None:
        """Ask for an item, as the listing before had it.

        :raises FeedLostError: it is where it was.
        """
        if self._me is None:
            self._me = await self._drive.user_email()
        # An owner loses sight of a file by deleting it, or by handing it over. Of other people's files it is open.
        owner = owner_of(item)
        if owner is None or not self._me or owner in self._mute or not self._left:
            return
        self._left -= 1
        try:
            await (self._confirm(item.id) if owner == self._me else self._ask_owner(owner, item.id))
        except FeedLostError:
            raise
        except DriveBackupError as error:
            log.info("%s cannot be asked what became of %s: %s", owner, item.id, error)
            self._mute.add(owner)

    async def _confirm(self, ident: str) -> None:
        """Ask for an item of one's own: the feed says that something is removed when it only moved, too."""
        try:
            item = await self._drive.get_item(ident)
        except ItemUnavailableError as error:
            if error.reason == "notFound":
                self._evidence.note(deleted(ident))
            return
        if item.drive_id is None and owner_of(item) == self._me:
            raise FeedLostError(f"The change feed says that {ident} is gone, and it is there.", reason="feedUnclear")
        self._evidence.note(moved(item))

    async def _ask_owner(self, owner: str, ident: str) -> None:
        """Ask for somebody else's item: it was deleted, or is not shared now."""
        try:
            self._evidence.note(kept_by(owner, await self._drive.get_item_as(owner, ident)))
        except ItemUnavailableError as error:
            if error.reason == "notFound":
                self._evidence.note(deleted_by(owner, ident))
