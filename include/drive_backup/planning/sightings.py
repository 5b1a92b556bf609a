"""What was seen as the head of an item, and what that says of the times that Drive tells. Pure.

Clients set an item's times as they like. When a version was read we know from the container's clock: at that moment it
was the head. A time that disagrees with that, or lies in the future, is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from include.drive_backup.model import CLOCKS

if TYPE_CHECKING:
    from include.drive_backup.planning.stored import StoredVersion

#: Drive's clock and the container's may differ by this much.
_CLOCKS = timedelta(seconds=5)

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
        return DISPROVED if any(other > modified + _CLOCKS for other in self.others) else None

    def settled(self, instant: datetime) -> bool:
        """Whether the content was the head at an instant before now, whatever its time says: it was before, and is."""
        own = self.own
        return own is not None and own + _CLOCKS <= instant and all(other < own for other in self.others)


def sightings(own: StoredVersion | None, versions: Sequence[StoredVersion]) -> Sightings:
    """Those of a content among all that is stored of its item in one format."""
    others = (each.read for each in versions if each.read is not None and not _same(own, each))
    return Sightings(own=None if own is None else own.read, others=tuple(others))


def was_head(version: StoredVersion, instant: datetime, versions: Sequence[StoredVersion]) -> bool:
    """Whether a version was the head at an instant: made before and read after, and no other one read meanwhile."""
    since, read = version.modified, version.read
    if since is None or read is None or not since <= instant <= read - _CLOCKS:
        return False
    others = (each.read for each in versions if each.read is not None and not _same(version, each))
    return not any(since + _CLOCKS < other < read for other in others)


def _same(one: StoredVersion | None, other: StoredVersion) -> bool:
    return one is not None and (one.content.sha256, one.content.size) == (other.content.sha256, other.content.size)
