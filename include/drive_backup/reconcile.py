"""Hold a full listing against what the change feed alone would have given: what had the feed kept back?

And the other way round: a listing may lag behind (Drive shows new files late), so what only the feed knows is asked
for, and goes into the listing when it is there. docs/adr/0012 has the reasons.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from include.drive_backup.errors import DriveBackupError, FeedLostError, ItemUnavailableError
from include.drive_backup.handover import Missed, Origin
from include.drive_backup.increment import PART_ROWS, Found, is_closed, list_changes, listing_prefix
from include.drive_backup.left.told import Told, told_prefix
from include.drive_backup.model import FOLDER, Item, Source
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.work import PartWriter, read_parts

log = logging.getLogger(__name__)

_EXAMPLES = 5
#: Single calls under way at once, for what the listing does not have.
_AT_ONCE = 16
_SAME = b""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """The part of a listed item in which a reader sees a difference."""

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...] = ()
    trashed: bool = False
    modified: datetime | None = None
    md5: str | None = None

    @property
    def digest(self) -> bytes:
        """Equal for two looks at an item that is the same."""
        # A folder's time moves by itself, and a checksum says more than a time.
        content = None if self.mime_type == FOLDER else self.md5 or self.modified
        facts = (self.name, sorted(self.parents), self.trashed, str(content))
        return hashlib.blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


async def reconcile(
    drive: Drive, store: BlobStore, source: Source, root_id: str, base: Origin, full: Found, work: str
) -> tuple[Missed, Found]:
    """Compare, and complete the listing. No failure of it is one of the backup.

    :param base: the listing before.
    :param full: the full listing, in ``work``.
    :return: what the feed had kept back, and the listing with what only the feed knew. With ``unsure`` items the
        listing must not be called complete.
    """
    made = _Reconciliation(drive, store, source, full, work)
    try:
        return await made.run(root_id, base)
    except DriveBackupError as error:
        log.warning("%s: whether the change feed had kept something back cannot be told. %s", source, error)
        return Missed(unknown=error.reason, unsure=len(made.lagging)), full


class _Reconciliation:
    """One comparison.

    ``_fed`` has what the feed would have given by id, ``_SAME`` where the full listing has the same.
    """

    def __init__(self, drive: Drive, store: BlobStore, source: Source, full: Found, work: str) -> None:
        self._drive = drive
        self._store = store
        self._source = source
        self._full = full
        self._work = work
        self._fed: dict[str, bytes] = {}
        self._unknown: dict[str, str] = {}
        self._different: dict[str, str] = {}
        self._folders: dict[str, bool] = {}
        self._added: list[str] = []
        self._stale: list[str] = []
        self._unsure: list[str] = []
        self._met: set[str] = set()
        self._forgiven: set[str] = set()
        self._down = False
        #: What only the feed knows, and what is not resolved of it.
        self.lagging: set[str] = set()

    async def run(self, root_id: str, base: Origin) -> tuple[Missed, Found]:
        """See :func:`reconcile`."""
        by_feed = f"{self._work}/by-feed"
        self._folders[root_id] = True
        found = await list_changes(self._drive, self._store, self._source, root_id, base, by_feed)
        await self._keep_told(by_feed, found)
        async for seen in self._read(by_feed, found):
            self._fed[seen.id] = seen.digest
        async for seen in self._read(self._work, self._full):
            self._compare(seen)
        self.lagging = self._lag()
        if self._unknown or self._different or self.lagging:
            await self._forgive()
        completed = await self._complete()
        missed = self._missed()
        if missed.any:
            log.warning("%s: the change feed and the full listing differ: %s", self._source, missed.in_words)
        return missed, completed

    async def _keep_told(self, by_feed: str, found: Found) -> None:
        """What the feed tells of items that left holds for the full listing, too, which cannot tell."""
        async with PartWriter[Told](self._store, told_prefix(self._work), PART_ROWS) as writer:
            async for told in read_parts(self._store, told_prefix(by_feed), Told, parts=found.told):
                await writer.write(told)
        self._full = self._full._replace(told=writer.parts)

    def _lag(self) -> set[str]:
        return {ident for ident, digest in self._fed.items() if digest != _SAME and ident not in self._met}

    def _missed(self) -> Missed:
        examples = (*self._unsure, *self._unknown.values(), *self._different.values(), *self._added, *self._stale)
        return Missed(
            unknown_to_feed=len(self._unknown),
            different=len(self._different),
            unlisted=len(self._added),
            stale=len(self._stale),
            unsure=len(self._unsure),
            examples=examples[:_EXAMPLES],
        )

    def _read(self, work: str, found: Found) -> AsyncIterator[Seen]:
        return read_parts(self._store, listing_prefix(work), Seen, parts=found.parts)

    def _compare(self, seen: Seen) -> None:
        known, example = self._fed.get(seen.id), f"{seen.name} ({seen.id})"
        if seen.mime_type == FOLDER:
            self._folders[seen.id] = True
        if known is None:
            self._unknown[seen.id] = example
        elif known not in (_SAME, seen.digest):
            self._different[seen.id] = example
            self._met.add(seen.id)
        else:
            self._fed[seen.id] = _SAME
            # Drive may give an item twice, before a change and after it.
            self._different.pop(seen.id, None)

    async def _forgive(self) -> None:
        """What changed since the full listing began is no wonder; what the listing lacks is asked for all the same."""
        async for page in self._drive.changes(self._source, self._full.token):
            if page.corpus_changed:
                raise FeedLostError("The shared drive itself changed.", reason="driveChanged")
            for ident in (*(item.id for item in page.items), *page.removed):
                self._unknown.pop(ident, None)
                self._different.pop(ident, None)
                self._forgiven.add(ident)

    async def _complete(self) -> Found:
        """Ask for what the listing lacks, and add what is there.

        For all of it, however much that is: a listing that stays incomplete is never the base of the next one.
        """
        parts, size, closed, lagging = self._full.parts, 0, 0, sorted(self.lagging)
        async with PartWriter[Item](self._store, listing_prefix(self._work), PART_ROWS, first=parts) as writer:
            for start in range(0, len(lagging), _AT_ONCE):
                asked = await asyncio.gather(*map(self._ask, lagging[start : start + _AT_ONCE]))
                items = [item for item in asked if item is not None]
                belongs = await self._drive.belonging(self._source, items, self._folders)
                for item in items:
                    if self._note(item, belongs[item.id]):
                        await writer.write(item)
                        size += item.size or 0
                        closed += is_closed(item)
        return self._full._replace(
            items=self._full.items + writer.rows,
            bytes=self._full.bytes + size,
            parts=writer.parts,
            closed=self._full.closed + closed,
        )

    def _note(self, item: Item, belongs: bool | None) -> bool:  # noqa: FBT001 - Drive's answer
        """Count an item that is there; whether it is part of the listing."""
        if belongs is None:
            self._unsure.append(f"{item.name} ({item.id})")
        elif item.id not in self._forgiven:
            (self._added if belongs else self._stale).append(f"{item.name} ({item.id})")
        return bool(belongs)

    async def _ask(self, ident: str) -> Item | None:
        """The item as it is now. What cannot be asked for is not gone: nobody knows."""
        if not self._down:
            try:
                return await self._drive.get_item(ident)
            except ItemUnavailableError:
                if ident not in self._forgiven:
                    self._stale.append(ident)
                return None
            except DriveBackupError as error:
                log.warning("%s: what the listing lacks cannot be asked for. %s", self._source, error)
                self._down = True
        self._unsure.append(ident)
        return None
