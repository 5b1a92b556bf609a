"""What a late run can know of its instant beside what Drive lists now: snapshots around it, and the change feed.

A snapshot that was over at the instant looked at the Drive before it, be it late for its own instant or not. After the
instant only snapshots made on time count: then the order of a backfill's days is no matter. docs/adr/0018 and 0024 have
the reasons.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import FeedLostError
from include.drive_backup.handover import PUNCTUAL, Listing, Witnesses
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import CLOCKS, Source, Struct, format_instant, parse_instant
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.work import PartWriter

log = logging.getLogger(__name__)

_PART_ROWS = 25_000
#: With more of them the feed costs about as much as a listing, for each day of a backfill.
_MOST_CHANGES = 200_000


class Changed(Struct, frozen=True):
    """The latest change of one item, as the change feed tells it. ``at``: when, if Drive says so."""

    id: str
    at: datetime | None = None
    removed: bool = False


def changed_prefix(work: str) -> str:
    """Where a late run keeps what the change feed said."""
    return f"{work}/changed-"


async def look_back(drive: Drive, store: BlobStore, listing: Listing) -> Listing:
    """The listing with its witnesses, if it is late for its instant; otherwise nothing is asked.

    A change feed that cannot be read is no error: then less is known.
    """
    if not listing.late:
        return listing
    source = Source.parse(listing.task.source)
    before, after = await _around(SnapshotRepository(store), listing)
    changes = None if before is None else await _note_changes(drive, store, source, listing, before)
    log.info(
        "%s: late for its instant; the snapshots beside it are %s and %s, and the change feed %s",
        source,
        before.name.ident if before else "none before",
        after.name.ident if after else "none after",
        "says nothing" if changes is None else "was read",
    )
    return replace(
        listing,
        witnesses=Witnesses(
            before=before.name.manifest if before else None,
            after=after.name.manifest if after else None,
            changes=changes,
        ),
    )


async def _around(repository: SnapshotRepository, listing: Listing) -> tuple[Manifest | None, Manifest | None]:
    """The complete snapshots that are nearest to the instant: over before it, and on time and begun after it."""
    instant = listing.task.instant
    names = await repository.names(listing.task.snapshots)
    earliest = format_instant(parse_instant(instant) - PUNCTUAL)
    before = [name for name in reversed(names) if name.instant < instant]
    after = [name for name in names if name.instant >= earliest]
    # What says that it was made later than now was made by a clock that was wrong.
    now = format_instant(parse_instant(listing.started) + CLOCKS)
    return (
        await _first(repository, before, lambda found: found.started <= found.ended <= instant),
        await _first(repository, after, lambda found: found.kind != "as-of" and instant < found.started <= now),
    )


async def _first(
    repository: SnapshotRepository, names: Sequence[SnapshotName], fits: Callable[[Manifest], bool]
) -> Manifest | None:
    for name in names:
        manifest = await repository.try_read(name)
        whole = manifest is not None and manifest.status == "complete" and manifest.listing_complete
        if manifest is not None and whole and fits(manifest):
            return manifest
    return None


async def _note_changes(
    drive: Drive, store: BlobStore, source: Source, listing: Listing, before: Manifest
) -> int | None:
    """Write down what changed since a snapshot; the number of parts, None when the feed is not to be relied on."""
    seen, now = before.listed, listing.listed
    # Another account's feed tells of other items; what others share has none that tells all, a single file none at all.
    if seen is None or now is None or seen.view != now.view or source.rootless:
        return None
    # What a broken feed leaves is never read: only the number of parts that this returns is.
    writer = PartWriter[Changed](store, changed_prefix(listing.work), _PART_ROWS)
    try:
        async with writer:
            async for changed in _changes(drive, source, seen.token):
                await writer.write(changed)
    except FeedLostError as error:
        log.warning("%s: the change feed does not tell what changed since %s. %s", source, before.name.ident, error)
        return None
    return writer.parts


async def _changes(drive: Drive, source: Source, token: str) -> AsyncIterator[Changed]:
    count = 0
    async for page in drive.changes(source, token):
        count += len(page.items) + len(page.removed)
        if count > _MOST_CHANGES:
            raise FeedLostError("There are very many changes.", reason="manyChanges")
        for item in page.items:
            yield Changed(id=item.id, at=page.times.get(item.id))
        for ident in page.removed:
            yield Changed(id=ident, at=page.times.get(ident), removed=True)
