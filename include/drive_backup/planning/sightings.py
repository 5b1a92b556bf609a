"""What was seen as the head of an item, and what that says of the times that Drive tells. Pure.

Clients set an item's times as they like. When a version was read we know from the container's clock: at that moment it
was the head. A time that disagrees with that, or lies in the future, is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from include.drive_backup.model import CLOCKS, DRIFT, Item, Look

if TYPE_CHECKING:
    from include.drive_backup.planning.stored import StoredVersion


NO_TIME = (
    "Drive's modified time of it cannot be read, so nobody can tell whether it changed after the snapshot's instant. "
    "This is its content of the listing."
)
FUTURE = (
    "Drive's modified time of it lies in the future, so nobody can tell whether it changed after the snapshot's "
    "instant. This is its content of the listing."
)
DISPROVED = (
    "Drive's modified time of it is wrong: the backup read another version of it later than that. So nobody can tell "
    "whether it changed after the snapshot's instant. This is its content of the listing."
)


class Sightings(NamedTuple):
    """When a content was read as the head of its item, if that is known, and when others were."""

    own: datetime | None
    others: tuple[datetime, ...]

    def doubt(self, modified: datetime | None, now: datetime) -> str | None:
        """Why a head cannot be there since its modified time; None when nothing speaks against it."""
        if modified is None:
            return NO_TIME
        if modified > now + CLOCKS:
            return FUTURE
        return DISPROVED if any(other - DRIFT > modified for other in self.others) else None

    def came_later(self, modified: datetime | None) -> bool:
        """Whether another version was the head between a time at which this one is said to have come and its reading.

        It need not be the head any more: others that were read after it say nothing.
        """
        own = self.own
        return own is not None and modified is not None and any(modified < other - DRIFT < own for other in self.others)

    def settled(self, instant: datetime) -> bool:
        """Whether the content was the head at an instant before now, whatever its time says: it was before, and is."""
        own = self.own
        return own is not None and own + DRIFT <= instant and all(other < own for other in self.others)


def sightings(item: Item, versions: Sequence[StoredVersion]) -> Sightings:
    """Those of the head of an item among all that is stored of it in one format."""
    own, others = list[datetime](), list[datetime]()
    for each in versions:
        if each.read is not None:
            (own if _is_of(item, each) else others).append(each.read)
    return Sightings(own=max(own, default=None), others=tuple(others))


def _is_of(item: Item, version: StoredVersion) -> bool:
    """Whether a version is the head, by the best that Drive knows."""
    content = version.content
    if item.sha256 is not None:
        return item.sha256 == content.sha256
    if item.md5 is not None:
        return (item.md5, item.size) == (content.md5, content.size)
    return item.modified == version.modified


def was_head(version: StoredVersion, instant: datetime, versions: Sequence[StoredVersion], before: Look) -> bool:
    """Whether a version was the head at an instant: made before and read after, and no other one seen meanwhile.

    :param before: what a snapshot that was over at the instant has of the item.
    """
    content = version.content
    # What a snapshot has of a document is Drive's, and no hash of the export: its time alone can be compared.
    md5, sha256 = (content.md5, content.sha256) if content.format == "original" else (None, None)
    if before.disproves(version.modified, content.size, md5, sha256):
        return False
    since, read = version.modified, version.read
    if since is None or read is None or not since <= instant <= read - DRIFT:
        return False
    others = (each.read for each in versions if each.read is not None and not _same(version, each))
    return not any(since + DRIFT < other < read for other in others)


def _same(one: StoredVersion, other: StoredVersion) -> bool:
    return (one.content.sha256, one.content.size) == (other.content.sha256, other.content.size)
