"""Complete a full listing that lags behind: Drive lists new items late, while its change feed names them.

What the listing lacks, or shows as it was before, is asked for one by one and added when it belongs. docs/adr/0022 has
the reasons.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Self

import msgspec

from include.drive_backup.again import version_number
from include.drive_backup.errors import DriveBackupError, ItemUnavailableError
from include.drive_backup.increment import (
    PART_ROWS,
    Found,
    is_closed,
    listing_prefix,
)
from include.drive_backup.model import FOLDER, Item, Source
from include.drive_backup.outside import read_outside
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.printing import visible
from include.drive_backup.work import PartWriter, read_parts

log = logging.getLogger(__name__)

#: Single calls under way at once.
_AT_ONCE = 16
#: Entries of the change feed that are held in memory; for each such window the listing is read once.
_WINDOW = 100_000


class Listed(msgspec.Struct, frozen=True, gc=False):
    """The part of a listed item that is compared with an entry of the feed."""

    id: str
    mime_type: str
    version: str | None = None

    @property
    def number(self) -> int:
        """The version as a number."""
        return version_number(self.version)


class Additions:
    """Adds items to a full listing. An async context manager: what was added is stored at its end.

    :ivar added: items that the listing lacked, by name and id; ``outdated``: that it showed as they were before;
        ``stale``: that Drive does not give to this account, or not in the source; ``unsure``: that could not be asked
        for. Items in ``meanwhile`` changed since the listing began: they are no wonder, and are in none of the first
        three.
    """

    def __init__(self, drive: Drive, store: BlobStore, source: Source, root_id: str, full: Found, work: str) -> None:
        self._drive = drive
        self._source = source
        self._full = full
        self._writer = PartWriter[Item](store, listing_prefix(work), PART_ROWS, first=full.parts)
        self._size = self._closed = 0
        self._down = False
        self.decided: dict[str, bool] = {root_id: True}
        self.meanwhile: set[str] = set()
        self.added: list[str] = []
        self.outdated: list[str] = []
        self.stale: list[str] = []
        self.unsure: list[str] = []
        #: Folders that were added: what is in them need not be in the listing either.
        self.folders: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self._writer.close()

    @property
    def found(self) -> Found:
        """The listing with what was added; to be asked for after the end."""
        return self._full._replace(
            items=self._full.items + self._writer.rows,
            bytes=self._full.bytes + self._size,
            parts=self._writer.parts,
            closed=self._full.closed + self._closed,
        )

    async def ask(self, wanted: Mapping[str, int | None]) -> None:
        """Ask for items, and add what is there, however many: a listing that stays incomplete is never a base.

        :param wanted: ids, and the version that the listing shows; None: it lacks the item.
        """
        idents = sorted(wanted)
        for start in range(0, len(idents), _AT_ONCE):
            asked = await asyncio.gather(*map(self._ask, idents[start : start + _AT_ONCE]))
            items = [item for item in asked if item is not None]
            belongs = await self._belonging(items)
            for item in items:
                if self._note(item, belongs[item.id], wanted[item.id]):
                    await self._add(item)

    async def _add(self, item: Item) -> None:
        await self._writer.write(item)
        self._size += item.size or 0
        self._closed += is_closed(item)
        if item.kind == "folder":
            self.decided[item.id] = True

    def _note(self, item: Item, belongs: bool | None, listed: int | None) -> bool:  # noqa: FBT001 - Drive's answer
        """Count an item that is there; whether it is to be added."""
        name = f"{visible(item.name)} ({item.id})"
        if belongs is None:
            self.unsure.append(name)
        elif belongs and listed is not None and version_number(item.version) <= listed:
            return False
        elif item.id not in self.meanwhile:
            (self.stale if not belongs else self.added if listed is None else self.outdated).append(name)
        if belongs and item.kind == "folder":
            self.folders.append(item.id)
        return bool(belongs)

    async def _ask(self, ident: str) -> Item | None:
        """The item as it is now. What cannot be asked for is not gone: nobody knows."""
        if not self._down:
            try:
                return await self._drive.get_item(ident)
            except ItemUnavailableError:
                if ident not in self.meanwhile:
                    self.stale.append(ident)
                return None
            except DriveBackupError as error:
                log.warning("%s: what the listing lacks cannot be asked for. %s", self._source, error)
                self._down = True
        self.unsure.append(ident)
        return None

    async def _belonging(self, items: Sequence[Item]) -> dict[str, bool | None]:
        """Whether items belong; where a folder above is not known, it is asked for, up to one that is."""
        chain = list(items)
        while True:
            answers = await self._drive.belonging(self._source, chain, self.decided)
            above = {parent for item in chain if answers[item.id] is None for parent in item.parents}
            above -= {item.id for item in chain} | self.decided.keys()
            if not above or not await self._climb(sorted(above), chain):
                break
        above_all = {each.id: answers.get(each.id) for each in chain[len(items) :]}
        self.decided.update({ident: answer for ident, answer in above_all.items() if answer is not None})
        return {item.id: answers[item.id] for item in items}

    async def _climb(self, folders: Sequence[str], chain: list[Item]) -> bool:
        """Add folders to a chain; false when they cannot be asked for. One that is out of sight is no part of it."""
        for start in range(0, len(folders), _AT_ONCE):
            some = folders[start : start + _AT_ONCE]
            for ident, folder in zip(some, await asyncio.gather(*map(self._folder, some)), strict=True):
                if self._down:
                    return False
                if folder is None:
                    self.decided[ident] = False
                else:
                    chain.append(folder)
        return True

    async def _folder(self, ident: str) -> Item | None:
        try:
            return None if self._down else await self._drive.get_item(ident)
        except ItemUnavailableError:
            return None
        except DriveBackupError as error:
            log.warning("%s: the folder %s cannot be asked for. %s", self._source, ident, error)
            self._down = True
            return None


async def changed_meanwhile(drive: Drive, source: Source, token: str) -> set[str]:
    """What changed since a listing began.

    :param token: position of the feed before the listing.
    """
    return {
        ident
        async for page in drive.changes(source, token)
        for ident in (*(item.id for item in page.items), *page.removed)
    }


class Entries:
    """Looks for the items that the feed names in a full listing.

    :param additions: takes what the listing lacks.
    :ivar lost: why the feed could not be read to its end, or a folder could not be listed.
    """

    def __init__(self, drive: Drive, store: BlobStore, source: Source, root_id: str, full: Found, work: str) -> None:
        self._drive = drive
        self._store = store
        self._source = source
        self._full = full
        self._work = work
        self._root_id = root_id
        self.lost: str | None = None

    async def add_to(self, additions: Additions, token: str) -> None:
        """Ask for every item that the feed names as present since ``token`` and that the listing lacks."""
        await self._learn_folders(additions.decided)
        try:
            additions.meanwhile |= await changed_meanwhile(self._drive, self._source, self._full.token)
        except DriveBackupError as error:
            self._lose(error)
        async for window in self._windows(token, additions.decided):
            await additions.ask(await self._lacking(window))
        while additions.folders:
            folders, additions.folders = additions.folders, []
            await additions.ask(await self._lacking(await self._below(folders)))

    async def learn_outside(self, decided: dict[str, bool]) -> None:
        """Note the listed folders that are no part of the source."""
        async for folder in read_outside(self._store, self._work, self._full.outside):
            decided[folder.id] = False

    async def _learn_folders(self, decided: dict[str, bool]) -> None:
        async for listed in self._listing():
            if listed.mime_type == FOLDER:
                decided[listed.id] = True

    def _listing(self) -> AsyncIterator[Listed]:
        return read_parts(self._store, listing_prefix(self._work), Listed, parts=self._full.parts)

    async def _windows(self, token: str, decided: Mapping[str, bool]) -> AsyncIterator[dict[str, int]]:
        """The items of the feed that are present and may belong, with their versions, so many at a time."""
        named: dict[str, int] = {}
        try:
            async for page in self._drive.changes(self._source, token):
                named.update(await self._may_belong(page.items, decided))
                for ident in page.removed:
                    named.pop(ident, None)
                if len(named) >= _WINDOW:
                    yield named
                    named = {}
        except DriveBackupError as error:
            self._lose(error)
        yield named

    async def _may_belong(self, items: Sequence[Item], decided: Mapping[str, bool]) -> dict[str, int]:
        answers = await self._drive.belonging(self._source, items, decided)
        # No listing shows the root of a corpus.
        return {
            item.id: version_number(item.version)
            for item in items
            if answers[item.id] is not False and item.id not in (self._root_id, item.drive_id)
        }

    async def _lacking(self, named: dict[str, int]) -> dict[str, int | None]:
        """What the listing lacks, or has in an earlier version."""
        lacking: dict[str, int | None] = dict.fromkeys(named)
        if not named:
            return lacking
        async for listed in self._listing():
            if listed.id in named:
                best = max(listed.number, lacking.get(listed.id) or 0)
                if best >= named[listed.id]:
                    lacking.pop(listed.id, None)
                    continue
                if listed.id in lacking:
                    lacking[listed.id] = best
        return lacking

    async def _below(self, folders: Iterable[str]) -> dict[str, int]:
        """What is in folders that the listing lacked: it need not have entries of its own."""
        found: dict[str, int] = {}
        for folder in folders:
            try:
                async for page in self._drive.children(self._source, folder):
                    found.update({item.id: version_number(item.version) for item in page.items})
            except DriveBackupError as error:
                self._lose(error)
        return found

    def _lose(self, error: DriveBackupError) -> None:
        log.warning("%s: what the change feed names cannot be looked for wholly. %s", self._source, error)
        self.lost = self.lost or error.reason
