"""How fast to call, and how long to wait before calling again.

Two parts that know nothing of Drive: :class:`Backoff` with :func:`retry` (one call that fails), and
:class:`QuotaLimiter` (all calls of a process together). Time and chance are arguments.
"""

from __future__ import annotations

import logging
import random as _random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from include.drive_backup.errors import DriveBackupError, StoppedError, TransientError
from include.drive_backup.ports import Clock

log = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Quota units of Drive's guide "Usage limits". Whether alt=media costs a get or a download is not said: the dearer.
GET_UNITS = 5
LIST_UNITS = 100
DOWNLOAD_UNITS = 200


@dataclass(frozen=True)
class Backoff:
    """Truncated exponential back-off with jitter, as Drive's guide "Usage limits" asks for.

    :param attempts: how often a call is tried in all, at least 1.
    :param first: seconds before the second attempt, before jitter; it doubles from there.
    :param cap: seconds that our own wait never exceeds.
    :param patience: the longest ``Retry-After`` in seconds that is waited for; a longer one ends the attempts.
    """

    attempts: int = 6
    first: float = 1.0
    cap: float = 64.0
    patience: float = 300.0

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures.

        :param chance: a random number in [0, 1); spreads the wait over the upper half, so that callers that
            failed together do not come back together.
        """
        ceiling = min(self.cap, self.first * 2.0 ** min(failures - 1, 30))
        return ceiling * (0.5 + 0.5 * chance)

    def wait_for(self, error: DriveBackupError, failures: int, chance: float) -> float | None:
        """Seconds to wait before the next attempt, or None when there shall be none."""
        if failures >= self.attempts:
            return None
        asked: float = getattr(error, "retry_after", None) or 0.0
        return None if asked > self.patience else max(asked, self.delay(failures, chance))


def is_transient(error: DriveBackupError) -> bool:
    """Whether the same call may succeed later, as the error's type says."""
    return isinstance(error, TransientError) and not isinstance(error, StoppedError)


async def retry(
    call: Callable[[], Awaitable[Result]],
    *,
    backoff: Backoff,
    clock: Clock,
    retryable: Callable[[DriveBackupError], bool] = is_transient,
    chance: Callable[[], float] = _random.random,
) -> Result:
    """Call until it succeeds, fails for good, or the attempts are used up; then raise its last error."""
    failures = 0
    while True:
        try:
            return await call()
        except DriveBackupError as error:
            failures += 1
            wait = backoff.wait_for(error, failures, chance()) if retryable(error) else None
            if wait is None:
                raise
            log.debug("attempt %d failed, again in %.1f s: %s", failures, wait, error)
        await clock.sleep(wait)


@dataclass
class _Meter:
    """A token bucket as one number: the time at which the bucket will be full again (GCRA).

    :param per_second: the rate at pace 1.
    :param burst: seconds of unused rate that may be caught up at once.
    """

    per_second: float
    burst: float
    _level: float = field(default=float("-inf"), init=False)

    def reserve(self, amount: float, now: float, pace: float) -> float:
        """Take ``amount``; seconds to wait before using it."""
        start = max(self._level, now - self.burst)
        self._level = start + amount / (self.per_second * pace)
        return max(0.0, start - now)


class QuotaLimiter:
    """A budget of quota units (and, for older projects, of calls) a minute that all callers share.

    When Drive says "slow down", the pace of everybody is halved, once for all the calls that were under way
    together, and grows back by and by (additive increase, multiplicative decrease).

    :param units_per_minute: Drive quota units; None for no limit.
    :param queries_per_minute: calls, the model of projects from before May 2026; None for no limit.
    :param burst: seconds of the rate that may be spent at once after a pause.
    """

    slowest = 1 / 64
    #: Seconds in which further rate errors count as the same event: calls of the old pace are still under way.
    echo = 5.0
    #: Seconds of quiet that take the pace from 0 to 1.
    recovery = 120.0

    def __init__(
        self,
        clock: Clock,
        *,
        units_per_minute: float | None = 325_000,
        queries_per_minute: float | None = None,
        burst: float = 2.0,
    ) -> None:
        self._clock = clock
        # The burst comes out of the minute's budget, so that no minute gets more, not even the first.
        self._units = _Meter(units_per_minute / (60 + burst), burst) if units_per_minute else None
        self._queries = _Meter(queries_per_minute / (60 + burst), burst) if queries_per_minute else None
        self._pace = 1.0
        self._changed = float("-inf")
        self._paused_until = float("-inf")

    @property
    def pace(self) -> float:
        """The share of the budget that is in use now: 1 is all of it."""
        return min(1.0, self._pace + max(0.0, self._clock.monotonic() - self._changed) / self.recovery)

    async def acquire(self, units: float) -> None:
        """Wait until one call that costs ``units`` quota units may be made."""
        now, pace = self._clock.monotonic(), self._settle()
        waits = [self._units.reserve(units, now, pace)] if self._units else []
        waits += [self._queries.reserve(1, now, pace)] if self._queries else []
        wait = max([*waits, self._paused_until - now])
        while wait > 0:
            await self._clock.sleep(wait)
            # Somebody may have met a rate error while we slept.
            wait = self._paused_until - self._clock.monotonic()

    def slow_down(self, retry_after: float | None = None) -> None:
        """Tell everybody that Drive answered a rate error.

        :param retry_after: seconds that Drive asked for; nobody calls before they are over.
        """
        now = self._clock.monotonic()
        if retry_after:
            self._paused_until = max(self._paused_until, now + min(retry_after, 60.0))
        if now - self._changed < self.echo:
            return
        if self._settle() == 1.0:
            log.warning("Drive asks to slow down; calls are paced until it no longer does")
        self._pace, self._changed = max(self.slowest, self.pace / 2), now

    def _settle(self) -> float:
        """The pace now; says so once when it is whole again."""
        pace = self.pace
        if pace == 1.0 and self._pace < 1.0:
            self._pace = 1.0
            log.info("calls to Drive are back at full pace")
        return pace
