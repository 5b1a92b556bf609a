"""Hold a full listing against what the change feed alone would have given: what had the feed kept back?

And the other way round: a listing may lag behind (Drive shows new files late), so what only the feed knows is asked
for, and goes into the listing when it is there. docs/adr/0012 and 0020 have the reasons.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec

from include.drive_backup.again import version_number
from include.drive_backup.errors import DriveBackupError, FeedLostError
from include.drive_backup.handover import Missed, Origin
from include.drive_backup.increment import Found, list_changes, listing_prefix
from include.drive_backup.lag import Additions, Entries
from include.drive_backup.left.told import Told, told_prefix
from include.drive_backup.model import FOLDER, Source, format_instant, parse_instant
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.printing import visible
from include.drive_backup.work import PartWriter, read_parts

log = logging.getLogger(__name__)

_EXAMPLES = 5
_PART_ROWS = 5_000
_SAME = b""
_DIGEST = 8
#: Drive lists an item when it has been there for so long; field evidence speaks of an hour at most.
_LISTED_BY_THEN = timedelta(hours=2)


class Seen(msgspec.Struct, frozen=True, gc=False):
    """The part of a listed item in which a reader sees a difference."""

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...] = ()
    trashed: bool = False
    modified: datetime | None = None
    md5: str | None = None
    version: str | None = None

    @property
    def number(self) -> int:
        """The version as a number."""
        return version_number(self.version)

    @property
    def digest(self) -> bytes:
        """Equal for two looks at an item that is the same."""
        # A folder's time moves by itself, and a checksum says more than a time.
        content = None if self.mime_type == FOLDER else self.md5 or self.modified
        facts = (self.name, sorted(self.parents), self.trashed, str(content))
        return hashlib.blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


async def reconcile(
    drive: Drive,
    store: BlobStore,
    source: Source,
    root_id: str,
    base: Origin,
    full: Found,
    work: str,
    lost: str | None = None,
) -> tuple[Missed | None, Found]:
    """Compare, and complete the listing. That Drive cannot be asked is no failure of the backup.

    :param base: the listing before.
    :param full: the full listing, in ``work``.
    :param lost: why the feed alone would not do, when that is known.
    :return: what the feed had kept back, and the listing with what only the feed knew. With ``unsure`` items the
        listing must not be called complete. None: the source has no feed.
    """
    made = _Comparison(drive, store, source, root_id, base, full, work)
    if lost is None:
        lost = await made.compare()
    if lost == "noFeed":
        return None, full
    async with Additions(drive, store, source, root_id, full, work) as additions:
        entries = Entries(drive, store, source, root_id, full, work)
        await entries.learn_outside(additions.decided)
        additions.decided.update(made.folders)
        additions.meanwhile |= made.meanwhile
        if lost is None:
            await additions.ask(made.lagging)
        else:
            await entries.add_to(additions, base.token)
            if entries.lost is None:
                await additions.ask(made.lagging)
            else:
                additions.unsure += sorted(made.lagging)
    missed = made.missed(additions, entries=lost, unknown=entries.lost)
    if missed.any:
        log.warning("%s: the change feed and the full listing differ: %s", source, missed.in_words)
    return missed, additions.found._replace(told=made.told)


def unproven_since(base: Origin | None, missed: Missed | None, started: datetime) -> str | None:
    """The instant shortly before which things may have come up in Drive that a full listing lacks.

    A listing holds what is older than Drive's lag by itself, and what the feed names since the listing before once it
    was held against that. What came up shortly before the listing before is in that, or is old enough by now.

    :param started: when the listing began.
    :return: None: it lacks nothing.
    """
    if base is None or missed is None or missed.unknown is not None:
        return format_instant(started)
    since = base.started if missed.entries is not None else base.unproven
    if since is None or started - parse_instant(since) >= _LISTED_BY_THEN:
        return None
    # From a time that is still to come nobody can count: the two hours begin now.
    return min(since, format_instant(started))


class _Comparison:
    """A full listing beside the one that the feed alone would have given.

    ``_fed`` has what the feed would have given by id: a digest and the version; ``_SAME`` where the full listing has
    the same.
    """

    def __init__(
        self, drive: Drive, store: BlobStore, source: Source, root_id: str, base: Origin, full: Found, work: str
    ) -> None:
        self._drive = drive
        self._store = store
        self._source = source
        self._root_id = root_id
        self._base = base
        self._full = full
        self._work = work
        self._fed: dict[str, bytes] = {}
        self._unknown: dict[str, str] = {}
        self._different: dict[str, str] = {}
        self._behind: dict[str, int] = {}
        self._met: set[str] = set()
        self.folders: dict[str, bool] = {}
        self.meanwhile: set[str] = set()
        self.told = full.told
        #: What the listing lacks, or shows as it was before: the version that it shows.
        self.lagging: dict[str, int | None] = {}

    async def compare(self) -> str | None:
        """Read both; why that cannot be done, if so."""
        try:
            await self._compare_all()
        except DriveBackupError as error:
            log.warning("%s: the change feed cannot be held against the full listing. %s", self._source, error)
            return error.reason
        return None

    async def _compare_all(self) -> None:
        by_feed = f"{self._work}/by-feed"
        found = await list_changes(self._drive, self._store, self._source, self._root_id, self._base, by_feed)
        await self._keep_told(by_feed, found)
        async for seen in self._read(by_feed, found):
            if version_bytes(seen.number) >= self._fed.get(seen.id, b"")[_DIGEST:]:
                self._fed[seen.id] = seen.digest + version_bytes(seen.number)
        async for seen in self._read(self._work, self._full):
            self._compare(seen)
        self.lagging = dict.fromkeys(self._lag())
        if self._unknown or self._different or self._behind or self.lagging:
            await self._forgive()
        self.lagging |= self._behind

    async def _keep_told(self, by_feed: str, found: Found) -> None:
        """What the feed tells of items that left holds for the full listing, too, which cannot tell."""
        async with PartWriter[Told](self._store, told_prefix(self._work), _PART_ROWS) as writer:
            async for told in read_parts(self._store, told_prefix(by_feed), Told, parts=found.told):
                await writer.write(told)
        self.told = writer.parts

    def _lag(self) -> set[str]:
        return {ident for ident, fact in self._fed.items() if fact != _SAME and ident not in self._met}

    def missed(self, additions: Additions, *, entries: str | None, unknown: str | None) -> Missed:
        """How the two differ.

        :param entries: why only the feed's entries were looked for, if so; ``unknown``: why not even these.
        """
        compared = entries is None
        different = (*self._unknown.values(), *self._different.values()) if compared else ()
        asked = (*additions.added, *additions.outdated, *additions.stale)
        return Missed(
            unknown_to_feed=len(self._unknown) if compared else 0,
            different=len(self._different) if compared else 0,
            unlisted=len(additions.added),
            outdated=len(additions.outdated),
            stale=len(additions.stale),
            unsure=len(additions.unsure),
            examples=() if unknown else (*additions.unsure, *different, *asked)[:_EXAMPLES],
            entries=entries if unknown is None else None,
            unknown=unknown,
        )

    def _read(self, work: str, found: Found) -> AsyncIterator[Seen]:
        return read_parts(self._store, listing_prefix(work), Seen, parts=found.parts)

    def _compare(self, seen: Seen) -> None:
        known, example = self._fed.get(seen.id), f"{visible(seen.name)} ({seen.id})"
        if seen.mime_type == FOLDER:
            self.folders[seen.id] = True
        if known is None:
            self._unknown[seen.id] = example
            return
        if known == _SAME:
            # Drive may give an item twice, before a change and after it.
            return
        if int.from_bytes(known[_DIGEST:]) > seen.number:
            self._behind[seen.id] = max(seen.number, self._behind.get(seen.id, 0))
            self._met.add(seen.id)
        elif known[:_DIGEST] != seen.digest:
            self._different[seen.id] = example
            self._met.add(seen.id)
        else:
            self._fed[seen.id] = _SAME
            self._different.pop(seen.id, None)
            self._behind.pop(seen.id, None)

    async def _forgive(self) -> None:
        """What changed since the full listing began is no wonder; what the listing lacks is asked for all the same."""
        async for page in self._drive.changes(self._source, self._full.token):
            if page.corpus_changed:
                raise FeedLostError("The shared drive itself changed.", reason="driveChanged")
            for ident in (*(item.id for item in page.items), *page.removed):
                self._unknown.pop(ident, None)
                self._different.pop(ident, None)
                # The next listing by changes has it as it is then.
                self._behind.pop(ident, None)
                self.meanwhile.add(ident)


def version_bytes(number: int) -> bytes:
    """A version in eight bytes, which compare as numbers do."""
    return number.to_bytes(8)
