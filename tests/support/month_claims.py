"""What clients of Drive, workers and copiers claim in a month, and what no snapshot may make of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import CLOCKS, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import read_time
from tests.support.virtual_time import VirtualClock

YEAR = timedelta(days=365)
#: Drive's clock and the container's may differ by a few seconds.
NEAR = timedelta(seconds=10)


class Version(msgspec.Struct):
    """One version of a file; ``until`` it was replaced or deleted.

    :ivar claim: when its client says that it was written, and ``created`` when the file was made.
    """

    content: bytes
    since: datetime
    until: datetime | None = None
    claim: datetime | None = None
    created: datetime | None = None

    def during(self, begin: datetime, end: datetime) -> bool:
        """Whether it was there all the time from one moment to another."""
        return self.since < begin - NEAR and (self.until is None or self.until > end + NEAR)

    def around(self, moment: datetime) -> bool:
        """Whether it may have been there at a moment."""
        return self.since <= moment + NEAR and (self.until is None or self.until >= moment - NEAR)


class Claims:
    """Draws them.

    :param drawn: of the month.
    """

    def __init__(self, drawn: random.Random) -> None:
        self._random = drawn

    def clock(self) -> VirtualClock:
        """That of a worker: most are right."""
        wrong = self._random.choice([timedelta()] * 5 + [YEAR, -YEAR, 2 * YEAR, timedelta(hours=5)])
        return VirtualClock(wrong.total_seconds())

    def modified(self, now: datetime, before: Sequence[Version]) -> str:
        """What a client says of when it wrote something: most tell the truth."""
        if self._random.random() < 0.6:
            return drive_time(now)
        earlier = [each.claim for each in before if each.claim is not None]
        returning = [drive_time(self._random.choice(earlier))] if earlier else []
        return self._random.choice([*self._odd(now), *returning, *returning])

    def created(self, now: datetime) -> str:
        """What a client says of when it made something."""
        return drive_time(now) if self._random.random() < 0.6 else self._random.choice(self._odd(now))

    def _odd(self, now: datetime) -> list[str]:
        about = [now + timedelta(days=self._random.uniform(-9, 9)), now - timedelta(hours=self._random.uniform(0, 30))]
        return ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "soon", *map(drive_time, about)]


def drive_time(moment: datetime) -> str:
    """As Drive writes it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def claimed(text: str) -> datetime | None:
    """What can be read of a claim."""
    return read_time(text)


class Look(msgspec.Struct):
    """A complete snapshot beside what was."""

    manifest: Manifest
    rows: dict[str, dict[str, Any]]
    listed: tuple[datetime, datetime]
    #: the instant of a complete snapshot that was over at the instant, if there was one
    before: datetime | None

    @property
    def instant(self) -> datetime:
        return parse_instant(self.manifest.instant)

    @property
    def ended(self) -> datetime:
        return parse_instant(self.manifest.ended)


def check_clock(look: Look, now: datetime) -> list[str]:
    """The times of a snapshot are those of the container, not of a worker."""
    started = parse_instant(look.manifest.started)
    right = look.listed[0] - NEAR <= started <= look.listed[1] + NEAR and started <= look.ended <= now + NEAR
    return [] if right else [f"{look.manifest.name.key} says that it was made {started} to {look.ended}"]


async def check_item(store: BlobStore, look: Look, ident: str, versions: Sequence[Version]) -> list[str]:
    """What was there all the time is in the snapshot, as it was, and in doubt only where it may be."""
    steady = next((each for each in versions if each.during(look.instant, max(look.ended, look.listed[1]))), None)
    if steady is None:
        return []
    where, row = f"{look.manifest.name.key}: {ident}", look.rows.get(ident)
    proven = look.before is not None and steady.since < look.before - NEAR
    if row is None:
        young = _soon_after(steady.created, look) and not proven
        return [] if young else [f"{where} was there all the time, and is left out"]
    if _soon_after(steady.claim, look) and not proven:
        # Nothing tells it from what was really written then.
        return []
    found = [await store.read(content["blob"]) for content in row["contents"]]
    if found != [steady.content]:
        return [f"{where} has other bytes than it had all the time"]
    if proven and row["fidelity"] != "exact":
        return [f"{where} is in doubt ({row['fidelity']}), and had not changed for a night"]
    return []


def _soon_after(claim: datetime | None, look: Look) -> bool:
    return claim is not None and look.instant < claim <= look.ended + CLOCKS


async def check_then(store: BlobStore, look: Look, ident: str, versions: Sequence[Version]) -> list[str]:
    """What is called the version of the instant is one of that time."""
    row = look.rows[ident]
    late = look.manifest.kind == "as-of" and row["fidelity"] == "exact"
    if not late and "version of that instant" not in (row["message"] or ""):
        return []
    then = [each.content for each in versions if each.around(look.instant)]
    found = [await store.read(content["blob"]) for content in row["contents"]]
    wrong = any(data not in then for data in found)
    return [f"{look.manifest.name.key}: {ident} is called that of the instant, and is not"] if wrong else []
