"""A snapshot that a person asked for, and what that person has to know of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import counted

_NAMED = 3


@dataclass(frozen=True)
class Unreadable:
    """A snapshot whose manifest or catalogue is not what was written.

    :ivar why: a sentence.
    """

    name: SnapshotName
    why: str


@dataclass(frozen=True)
class Found:
    """The newest complete snapshot that can be read, or the one of an id.

    :ivar asked: what the person wrote.
    :ivar moment: the instant that a time was taken for; None: the person wrote no time.
    :ivar partial: the ids of newer snapshots that are not complete, newest first.
    :ivar damaged: newer snapshots that cannot be read, newest first.
    """

    manifest: Manifest
    asked: str = "latest"
    moment: str | None = None
    partial: tuple[str, ...] = ()
    damaged: tuple[Unreadable, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What is good to know, as sentences."""
        return [*([self._moment()] if self.moment else ()), *([self._partial()] if self.partial else ())]

    @property
    def flaws(self) -> list[str]:
        """What is not as it should be, as sentences: this is not the snapshot that was asked for."""
        return [self._damaged()] if self.damaged else []

    def _moment(self) -> str:
        return f"'{self.asked}' is taken for the instant {self.moment}; the snapshot is {self.manifest.name.ident}."

    def _partial(self) -> str:
        name, then = self.manifest.name, " by then" if self.moment else ""
        return (
            f"{name.ident} is the newest complete snapshot{then}, and {counted(len(self.partial), 'snapshot')} of "
            f"{name.series} made since are not complete. They may have newer versions and newer files: to use one name "
            f"it by its id, the last one is {self.partial[0]}."
        )

    def _damaged(self) -> str:
        newer, then = counted(len(self.damaged), "newer snapshot"), " by then" if self.moment else ""
        return (
            f"{self.manifest.name.ident} is NOT the newest snapshot of {self.manifest.name.series}{then}: {newer} "
            f"cannot be read. {unreadable_text(self.damaged)} `drive-backup doctor` says what can be done."
        )


def unreadable_text(damaged: Sequence[Unreadable]) -> str:
    """Which snapshots cannot be read, and why: the first ones by name."""
    said = " ".join(f"{each.name.ident}: {each.why}" for each in damaged[:_NAMED])
    return said + (f" And {len(damaged) - _NAMED:,} more." if damaged[_NAMED:] else "")
