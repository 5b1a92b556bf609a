"""A listing made of an earlier one and Drive's change feed, for the price of what changed.

The feed tells of direct changes alone. What follows from them for others is looked up where that is cheap (the children
of a folder that is new to us, or that was thrown away or fetched back), and where it is not, or anything is in doubt,
:class:`FeedLostError` says so, and the whole of Drive's listing is read instead. docs/adr/0012 has the reasons.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from include.drive_backup.again import Again, Known, version_number
from include.drive_backup.errors import CorruptStoreError, FeedLostError, ItemUnavailableError
from include.drive_backup.handover import Origin
from include.drive_backup.left.inquiry import Inquiry
from include.drive_backup.left.told import Evidence, Told, moved, told_prefix
from include.drive_backup.model import FOLDER, Item, Source
from include.drive_backup.outside import read_outside, write_outside
from include.drive_backup.ports import BlobStore, Drive, Outside
from include.drive_backup.work import PartWriter, decode_row, encode_row, read_parts

log = logging.getLogger(__name__)

#: Items per part of the listing: some MB of JSON, so that memory stays bounded.
PART_ROWS = 5_000
#: Changes that are held in memory; with more of them a full listing costs about the same.
_MOST_CHANGES = 25_000
#: Folders whose children are listed, and items of the listing before that are asked for because they left.
_MOST_LOOKS = 200
#: Single calls under way at once.
_AT_ONCE = 16

#: What the listing before said of a folder: in the trash, and whether it shows its children.
FolderState = tuple[bool, bool]


class Found(NamedTuple):
    """The new listing: what was written, and the feed's position that it goes up to."""

    items: int
    bytes: int
    parts: int
    outside: int
    token: str
    changes: int
    left: dict[str, int]
    told: int = 0
    closed: int = 0
    not_asked: int = 0


def is_closed(item: Known | Item) -> bool:
    """Whether it is a folder, not in the trash, of which Drive does not list what it holds."""
    return item.mime_type == FOLDER and item.can_list_children is False and not item.trashed


def listing_prefix(work: str) -> str:
    """Where the parts of a listing are."""
    return f"{work}/listing-"


async def list_changes(drive: Drive, store: BlobStore, source: Source, root_id: str, base: Origin, work: str) -> Found:
    """Write the listing ``base`` with what changed since.

    :param root_id: the folder that the source starts at.
    :param work: where to write it; what is there is of no use when this raises.
    :raises FeedLostError: it cannot be told for certain; ``reason`` says why.
    :raises CorruptStoreError: the earlier listing is gone or broken.
    """
    return await _Increment(drive, store, source, root_id, base).write(work)


class _Increment:
    """One listing in the making."""

    def __init__(self, drive: Drive, store: BlobStore, source: Source, root_id: str, base: Origin) -> None:
        self._drive = drive
        self._store = store
        self._source = source
        self._root_id = root_id
        self._base = base
        self._folders: dict[str, FolderState] = {}
        self._outside: dict[str, FolderState] = {}
        self._not_asked = 0
        self._items: dict[str, Item] = {}
        self._removed: set[str] = set()
        self._looks = 0
        self._evidence = Evidence()
        self._inquiry = Inquiry(drive, self._evidence, _MOST_LOOKS)

    async def write(self, work: str) -> Found:
        """See :func:`list_changes`."""
        await self._read_base()
        token, changes = await self._read_feed()
        self._not_asked = await self._ask_again()
        await self._look_into_folders()
        belongs = await self._belonging()
        gone = self._removed | {ident for ident, answer in belongs.items() if not answer}
        writer = PartWriter[msgspec.Raw](self._store, listing_prefix(work), PART_ROWS)
        size, closed, left = 0, 0, Counter[str]()
        async with writer:
            async for line, known in self._lines():
                if known.id in gone or known.id in self._items:
                    left.update(self._why_left(known, gone))
                    await self._tell(known, line, gone)
                    continue
                self._check_parents(known, gone)
                size += known.size or 0
                closed += is_closed(known)
                await writer.write(line)
            for item in self._items.values():
                if belongs[item.id]:
                    size += item.size or 0
                    closed += is_closed(item)
                    await writer.write(msgspec.Raw(encode_row(item)))
        outside = await self._write_outside(work, belongs)
        async with PartWriter[Told](self._store, told_prefix(work), PART_ROWS) as told:
            for each in self._evidence.rows():
                await told.write(each)
        return Found(
            writer.rows, size, writer.parts, outside, token, changes, dict(left), told.parts, closed, self._not_asked
        )

    async def _lines(self) -> AsyncIterator[tuple[msgspec.Raw, Known]]:
        decoder = msgspec.json.Decoder(Known)
        prefix = listing_prefix(self._base.work)
        async for line in read_parts(self._store, prefix, msgspec.Raw, parts=self._base.parts):
            yield line, decode_row(decoder, bytes(line))

    async def _read_base(self) -> None:
        rows = 0
        async for _, known in self._lines():
            rows += 1
            if known.mime_type == FOLDER:
                self._folders[known.id] = (known.trashed, known.can_list_children is not False)
        if rows != self._base.items:
            raise CorruptStoreError(f"The listing in {self._base.work} has {rows} items instead of {self._base.items}.")
        async for folder in read_outside(self._store, self._base.work, self._base.outside):
            self._outside[folder.id] = (folder.trashed, not folder.closed)

    async def _read_feed(self) -> tuple[str, int]:
        """Take the feed in; its end, and how many entries it had."""
        token, changes = None, 0
        async for page in self._drive.changes(self._source, self._base.token):
            changes += len(page.items) + len(page.removed)
            if page.corpus_changed:
                raise FeedLostError("The shared drive itself changed.", reason="driveChanged")
            if changes > _MOST_CHANGES:
                raise FeedLostError("There are very many changes.", reason="manyChanges")
            for item in page.items:
                self._take(item)
            self._evidence.times.update(page.times)
            for item in page.elsewhere:
                self._evidence.note(moved(item))
            for ident in page.removed:
                self._items.pop(ident, None)
                self._removed.add(ident)
            token = page.token or token
        if token is None:
            raise FeedLostError("The change feed has no end.", reason="feedUnclear")
        return token, changes

    def _take(self, item: Item) -> None:
        known = self._items.get(item.id)
        # The root has no row; a listing may show it or not. A listing of children may lag behind the feed.
        if item.id != self._root_id and (
            known is None or version_number(known.version) <= version_number(item.version)
        ):
            self._items[item.id] = item
            self._removed.discard(item.id)

    async def _ask_again(self) -> int:
        """Ask for items that may have changed without an entry, as many as it is their turn; how many are left."""
        seen = {**self._outside, **self._folders}
        trashed = {ident for ident, state in seen.items() if state[0]}
        seen[self._root_id] = (False, True)
        again = Again(subtree=self._source.kind == "folder")
        async for _, known in self._lines():
            again.note(known, seen, trashed)
        idents, not_asked = again.share(self._items.keys() | self._removed, self._base.turn)
        for start in range(0, len(idents), _AT_ONCE):
            for item in await asyncio.gather(*map(self._ask, idents[start : start + _AT_ONCE])):
                self._take(item)
        return not_asked

    async def _ask(self, ident: str) -> Item:
        try:
            return await self._drive.get_item(ident)
        except ItemUnavailableError as error:
            raise FeedLostError(f"The change feed did not tell that {ident} is gone.", reason="feedBehind") from error

    async def _look_into_folders(self) -> None:
        """Read the children of folders of which the feed need not tell them, and of the folders among these.

        Also of folders that are no part of the source: items of the source may be in them.
        """
        belongs = await self._belonging()
        queue = [item.id for item in self._items.values() if self._is_news(item, inside=belongs[item.id])]
        seen, decided = set(queue), self._decided() | belongs
        while queue:
            self._look()
            async for page in self._drive.children(self._source, queue.pop()):
                if page.incomplete:
                    raise FeedLostError("Drive did not list all that a folder holds.", reason="incompleteSearch")
                answers = await self._drive.belonging(self._source, page.items, decided)
                for item in page.items:
                    # Somebody else's files in a folder of theirs are not held: there may be very many.
                    if item.kind == "folder" or answers[item.id] is not False or item.id in self._folders:
                        self._take(item)
                    if item.kind == "folder":
                        decided[item.id] = answers[item.id] is not False
                        if item.id not in seen:
                            seen.add(item.id)
                            queue.append(item.id)

    def _is_news(self, item: Item, *, inside: bool) -> bool:
        if item.kind != "folder":
            return False
        state = (item.trashed, item.can_list_children is not False)
        before = self._folders.get(item.id) if inside else self._outside.get(item.id)
        if before is None and not inside:
            # What is ours in a folder that comes into sight was listed before, but not that it is in the trash.
            return item.trashed
        closed = before is not None and before[1] and not state[1] and not item.trashed
        if closed:
            raise FeedLostError(
                f"The folder {item.id} does not show any more what it holds, and the feed need not name all of that.",
                reason="folderClosed",
            )
        # What is in a closed folder is not listed.
        return before != state and state[1]

    def _look(self) -> None:
        self._looks += 1
        if self._looks > _MOST_LOOKS:
            raise FeedLostError("Too much would have to be looked up item by item.", reason="manyLooks")

    def _decided(self) -> dict[str, bool]:
        known = {**dict.fromkeys(self._outside, False), **dict.fromkeys(self._folders, True), self._root_id: True}
        for ident in self._removed:
            known.pop(ident, None)
        return known

    async def _belonging(self) -> dict[str, bool]:
        answers = await self._drive.belonging(self._source, tuple(self._items.values()), self._decided())
        belongs = {ident: answer for ident, answer in answers.items() if answer is not None}
        if len(belongs) < len(answers):
            raise FeedLostError("It cannot be told what belongs to the source.", reason="unclearParents")
        return belongs

    def _check_parents(self, known: Known, gone: set[str]) -> None:
        """What was in a folder that is gone is gone with it, or elsewhere: the feed did not say."""
        if not gone.isdisjoint(known.parents):
            raise FeedLostError(
                "A folder is gone, and the change feed does not say what of its content.", reason="folderGone"
            )

    def _why_left(self, known: Known, gone: set[str]) -> list[str]:
        now = self._items.get(known.id)
        if now is None:
            return ["removed"]
        if known.id in gone:
            return ["moved"]
        return ["trashed"] if now.trashed and not known.trashed else []

    async def _tell(self, known: Known, line: msgspec.Raw, gone: set[str]) -> None:
        """Note what became of an item of the listing before, where Drive tells it."""
        now = self._items.get(known.id)
        if now is not None:
            if known.id in gone:
                self._evidence.note(moved(now))
        elif known.id not in self._evidence.told:
            await self._inquiry.ask(decode_row(msgspec.json.Decoder(Item), bytes(line)))

    async def _write_outside(self, work: str, belongs: dict[str, bool]) -> int:
        folders = {item.id: item for item in self._items.values() if item.kind == "folder"}
        rows = [
            Outside(id=ident, trashed=state[0], closed=not state[1])
            for ident, state in self._outside.items()
            if ident not in self._removed and ident not in folders
        ]
        rows += [
            Outside(id=ident, trashed=item.trashed, closed=item.can_list_children is False)
            for ident, item in folders.items()
            if not belongs[ident]
        ]
        return await write_outside(self._store, work, rows)
