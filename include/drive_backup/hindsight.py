"""What a late run can know of its instant beside what Drive lists now: snapshots made on time, and the change feed.

A snapshot made on time is a look at the Drive from near its instant; one that was made late is not, so nothing is taken
from it: then the order of a backfill's days is no matter. docs/adr/0018 has the reasons.
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
from include.drive_backup.model import Series, Source, Struct, format_instant, parse_instant
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
    source, instant = Source.parse(listing.task.source), listing.task.instant
    before, after = await _on_time(SnapshotRepository(store), listing.task.snapshots, instant)
    changes = None if before is None else await _note_changes(drive, store, source, listing, before)
    log.info(
        "%s: late for its instant; the snapshots made on time beside it are %s and %s, and the change feed %s",
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


async def _on_time(
    repository: SnapshotRepository, series: Series, instant: str
) -> tuple[Manifest | None, Manifest | None]:
    """The snapshots made on time that are nearest to an instant: over before it, and begun after it."""
    names = await repository.names(series)
    earliest = format_instant(parse_instant(instant) - PUNCTUAL)
    before = [name for name in reversed(names) if name.instant < instant]
    after = [name for name in names if name.instant >= earliest]
    return (
        await _first(repository, before, lambda found: found.ended <= instant),
        await _first(repository, after, lambda found: found.started > instant),
    )


async def _first(
    repository: SnapshotRepository, names: Sequence[SnapshotName], fits: Callable[[Manifest], bool]
) -> Manifest | None:
    for name in names:
        manifest = await repository.try_read(name)
        if manifest is not None and _is_on_time(manifest) and fits(manifest):
            return manifest
    return None


def _is_on_time(manifest: Manifest) -> bool:
    return manifest.kind != "as-of" and manifest.status == "complete" and manifest.listing_complete


async def _note_changes(
    drive: Drive, store: BlobStore, source: Source, listing: Listing, before: Manifest
) -> int | None:
    """Write down what changed since a snapshot; the number of parts, None when the feed is not to be relied on."""
    seen, now = before.listed, listing.listed
    # Another account's feed tells of other items; and what others share has none that tells all.
    if seen is None or now is None or seen.view != now.view or source.kind == "shared":
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
