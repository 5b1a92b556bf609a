"""One task's part in the shared quota: it claims, divides as all others do, and sets its own limiter.

Time is cut into epochs of some seconds. What a task claims in one epoch counts in the next: then everybody reads the
same claims and divides the same budget in the same way, so that nobody has to be asked and the sum is never more than
there is. A task that has just begun, and so is in nobody's reckoning, lives on a small reserve until the next epoch,
unless it is the only one there.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Self

from include.drive_backup.blob.names import quota_prefix
from include.drive_backup.errors import DriveBackupError
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.quota.claims import ClaimBoard, Seen
from include.drive_backup.quota.day import DayBook
from include.drive_backup.quota.division import Claim, divide
from include.drive_backup.quota.settings import RESERVE, QuotaSettings

log = logging.getLogger(__name__)

#: Seconds that a round may take. Then the task goes on with a fixed share, before others count on what it had.
PATIENCE = 4.0
#: Seconds of the rate that a task may spend at once after a pause.
BURST = 1.0
#: A task that had to wait for more than this part of the time wants whatever it can get.
HUNGRY = 0.1
#: A task that did not wait wants so much more than it used.
ROOM = 1.5


class SharedQuota:
    """An async context manager around the calls of one task.

    :param user: whom the task acts as; empty for the connection's own account.
    """

    def __init__(self, store: BlobStore, settings: QuotaSettings, clock: Clock, *, user: str = "") -> None:
        #: Stands in front of every call to Drive.
        self.limiter = QuotaLimiter(clock, units_per_minute=None, burst=BURST)
        self._settings = settings
        self._clock = clock
        self._user = user
        prefix = quota_prefix(settings.group)
        self._board = ClaimBoard(store, f"{prefix}/claims/", clock, settings.epoch)
        self._day = DayBook(store, f"{prefix}/days/", self.limiter, settings, clock)
        self._read_at = clock.monotonic()
        self._trouble = False
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.limiter.set_rates(self._settings.newcomer_rates)
        await self._tolerate(self._join())
        self._loop = asyncio.create_task(self._take_part())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
        await self._tolerate(self._leave())

    async def _join(self) -> None:
        await self._board.put(self._claim())
        seen = await self._board.read()
        self._apply(seen)
        await self._day.settle(len(self._recent(seen)))
        await self._board.tidy(seen)

    async def _take_part(self) -> None:
        while True:
            await self._clock.sleep(self._board.seconds_to_next())
            await self._tolerate(self._round())

    async def _round(self) -> None:
        seen = await self._board.read()
        self._apply(seen)
        await self._board.put(self._claim())
        await self._day.settle(len(self._recent(seen)))
        await self._board.tidy(seen)

    async def _leave(self) -> None:
        await self._board.leave()
        await self._day.settle(1)

    async def _tolerate(self, round_: object) -> None:
        """Do a round; trouble with Blob means a fixed share, never a failed task."""
        try:
            await asyncio.wait_for(round_, PATIENCE)  # type: ignore[arg-type]
        except (DriveBackupError, TimeoutError) as error:
            log.log(logging.DEBUG if self._trouble else logging.INFO, "The quota is not shared for now: %r", error)
            self._trouble = True
            self.limiter.set_rates(self._settings.fixed_rates)
        else:
            self._trouble = False

    def _recent(self, seen: list[Seen]) -> dict[str, Claim]:
        """Whoever may be at work: the last claim of each task."""
        now = self._board.epoch_now()
        return {each.claim.token: each.claim for each in seen if each.epoch >= now - 2}

    def _apply(self, seen: list[Seen]) -> None:
        """Set the rates for the epoch that has begun."""
        before = self._board.epoch_now() - 1
        counted = {each.claim.token: each.claim for each in seen if each.epoch == before}
        recent = self._recent(seen)
        others = [
            claim.pace for claim in recent.values() if claim.user == self._user and claim.token != self._board.token
        ]
        self.limiter.pace_of_others = min(others, default=1.0)
        if self._board.token in counted:
            self.limiter.set_rates(self._shares(list(counted.values())))
        elif set(recent) == {self._board.token}:
            # Whoever comes after us sees our claim, and keeps to the reserve until both are counted.
            self.limiter.set_rates(self._settings.rates(1 - RESERVE))
        else:
            self.limiter.set_rates(self._settings.newcomer_rates)

    def _shares(self, claims: list[Claim]) -> dict[str, float | None]:
        shares: dict[str, float | None] = {}
        for resource, budget in self._settings.budgets.items():
            shares[resource] = divide(claims, budget.part(1 - RESERVE), resource).get(self._board.token)
        return shares

    def _claim(self) -> Claim:
        """What we want, judged by what we used since the last claim."""
        now = self._clock.monotonic()
        seconds, self._read_at = now - self._read_at, now
        wants = {}
        least = self._settings.newcomer_rates
        for resource, (used, waited) in self.limiter.reading().items():
            if seconds > 0 and waited <= HUNGRY * seconds:
                wants[resource] = int(max(ROOM * used * 60 / seconds, least[resource] or 0)) + 1
        return Claim(token=self._board.token, user=self._user, wants=wants, pace=self.limiter.pace)
