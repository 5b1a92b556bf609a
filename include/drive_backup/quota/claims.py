"""The claims of the tasks that share a quota: blobs without bytes whose metadata say what a task wants.

All times are the Blob service's own (Last-Modified), so all tasks see the same claims in the same epoch, whatever
their clocks say.
"""

from __future__ import annotations

import secrets

from include.drive_backup.model import Struct
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.ports import BlobInfo, BlobStore, Clock
from include.drive_backup.quota.division import RESOURCES, Claim
from include.drive_backup.values import read_integer, read_number

#: Epochs after which a claim whose task did not take it away is anybody's to delete.
_STALE = 30
#: Seconds in which a blob that was stored at the end of an epoch has surely become visible.
_GUARD = 0.3
#: The text of a pace has four digits.
_SLOWEST = QuotaLimiter.slowest - 0.0001


class Seen(Struct, frozen=True):
    """A claim as it is stored, and the number of the epoch in which Blob stored it."""

    name: str
    epoch: int
    claim: Claim


class ServerTime:
    """Blob's time of day, bounded: what is known of it comes from Last-Modified, which has whole seconds.

    It follows our clock's monotonic seconds, which nobody sets.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._low = self._high = clock.now().timestamp() - clock.monotonic()

    def saw(self, modified: float, before: float, after: float) -> None:
        """Learn of a blob that was written between two monotonic moments."""
        low, high = modified - after, modified + 1 - before
        agrees = low <= self._high and self._low <= high and self._low != self._high
        self._low, self._high = (max(low, self._low), min(high, self._high)) if agrees else (low, high)

    def earliest(self) -> float:
        """It is at least so late: seconds since 1970."""
        return self._clock.monotonic() + self._low


class ClaimBoard:
    """Where one task puts its claims and reads those of all.

    :param prefix: of the group's claims, with a slash at its end.
    :param epoch: seconds.
    """

    def __init__(self, store: BlobStore, prefix: str, clock: Clock, epoch: int) -> None:
        self.token = secrets.token_hex(6)
        self.time = ServerTime(clock)
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._epoch = epoch
        self._written: dict[str, tuple[float, float]] = {}
        self._number = 0

    def epoch_now(self) -> int:
        """The epoch that has begun for certain."""
        return int(self.time.earliest() // self._epoch)

    def seconds_to_next(self) -> float:
        """Seconds until the next epoch has begun for certain."""
        return (self.epoch_now() + 1) * self._epoch - self.time.earliest() + _GUARD

    async def put(self, claim: Claim) -> None:
        """Claim for the next epoch."""
        self._number += 1
        name = f"{self._prefix}{self.token}-{self._number:08d}"
        wants = {f"want_{resource}": str(amount) for resource, amount in claim.wants.items()}
        metadata = {"pace": f"{claim.pace:.4f}", **wants}
        if claim.user:
            metadata["user"] = claim.user
        before = self._clock.monotonic()
        # Noted first: a write that is cut off may have been made, and has to be taken away.
        self._written[name] = (before, float("inf"))
        await self._store.put(name, b"", metadata=metadata)
        self._written[name] = (before, self._clock.monotonic())

    async def read(self) -> list[Seen]:
        """The claims of all tasks, the oldest of each task first."""
        found = []
        async for info in self._store.list(self._prefix, metadata=True):
            modified = info.modified.timestamp() if info.modified else self.time.earliest()
            if info.name in self._written:
                self.time.saw(modified, *self._written[info.name])
            found.append(Seen(name=info.name, epoch=int(modified // self._epoch), claim=self._claim(info)))
        return found

    async def tidy(self, seen: list[Seen]) -> None:
        """Delete our claims that are in nobody's reckoning any more, and what killed tasks left long ago."""
        now = self.epoch_now()
        old = [each.name for each in seen if each.epoch < now - (2 if each.claim.token == self.token else _STALE)]
        await self._delete(old)

    async def leave(self) -> None:
        """Delete all our claims."""
        await self._delete(list(self._written))

    async def _delete(self, names: list[str]) -> None:
        await self._store.delete(names)
        for name in names:
            self._written.pop(name, None)

    def _claim(self, info: BlobInfo) -> Claim:
        """What cannot be read counts as wanted without bound, at full pace: it may be a task that spends."""
        token, _, _ = info.name.removeprefix(self._prefix).rpartition("-")
        wants = {resource: read_integer(info.metadata.get(f"want_{resource}")) for resource in RESOURCES}
        return Claim(
            token=token,
            user=info.metadata.get("user", ""),
            wants={resource: amount for resource, amount in wants.items() if amount is not None},
            pace=_pace(info.metadata.get("pace", "")),
        )


def _pace(text: str) -> float:
    """A pace that a limiter can have; another one would stop, or hurry, all that share the quota."""
    pace = read_number(text)
    return pace if pace is not None and _SLOWEST <= pace <= 1 else 1.0
