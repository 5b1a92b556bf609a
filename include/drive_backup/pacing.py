"""How fast to call, and how long to wait before calling again.

Two parts that know nothing of Drive: :class:`Backoff` with :func:`retry` (one call that fails), and
:class:`QuotaLimiter` (all calls of a process together). Time and chance are arguments.
"""

from __future__ import annotations

import asyncio
import logging
import random as _random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from include.drive_backup.errors import DriveBackupError, StoppedError, TransientError
from include.drive_backup.ports import Clock

log = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Quota units of Drive's guide "Usage limits". Whether alt=media costs a get or a download is not said: the dearer.
GET_UNITS = 5
LIST_UNITS = 100
DOWNLOAD_UNITS = 200
WRITE_UNITS = 50


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


class _Meter:
    """A token bucket as one number: the time at which the bucket will be full again (GCRA).

    :param per_minute: the rate at pace 1; None for no limit.
    :param burst: seconds of unused rate that may be caught up at once. They come out of the minute's budget, so that no
        minute gets more, not even the first.
    """

    def __init__(self, per_minute: float | None, burst: float) -> None:
        self._burst = burst
        self._level = float("-inf")
        self._per_second = self._rate(per_minute)
        #: Amount that was taken, and seconds that somebody had to wait for it, since they were last read.
        self.used = 0.0
        self.waited = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next call may take what it needs: what was taken before must be paid first."""
        return max(0.0, self._level - now) if self._per_second else 0.0

    def take(self, amount: float, now: float, pace: float) -> None:
        """Take; the next one waits until it is paid."""
        self.used += amount
        if self._per_second:
            self._level = max(self._level, now - self._burst) + amount / (self._per_second * pace)

    def set_rate(self, per_minute: float | None, now: float) -> None:
        """Go on at another rate; what is not paid yet is paid at that one."""
        before, self._per_second = self._per_second, self._rate(per_minute)
        if before and self._per_second and self._level > now:
            self._level = now + (self._level - now) * before / self._per_second

    def _rate(self, per_minute: float | None) -> float | None:
        return None if per_minute is None else max(per_minute, 1) / (60 + self._burst)


class QuotaLimiter:
    """A budget a minute of quota units, of calls (for older projects) and of bytes, that all callers share.

    When Drive says "slow down", the pace of everybody is halved, once for all the calls that were under way
    together, and grows back by and by (additive increase, multiplicative decrease).

    :param units_per_minute: Drive quota units; None for no limit.
    :param queries_per_minute: calls, the model of projects from before May 2026; None for no limit.
    :param bytes_per_minute: of content, counted as they come; None for no limit.
    :param burst: seconds of the rate that may be spent at once after a pause.
    """

    slowest = 1 / 64
    #: Seconds in which further rate errors count as the same event: calls of the old pace are still under way.
    echo = 5.0
    #: Seconds of quiet that take the pace from 0 to 1.
    recovery = 120.0
    #: Seconds after which a caller that waits looks again, because the rate may have changed.
    look = 1.0

    def __init__(
        self,
        clock: Clock,
        *,
        units_per_minute: float | None = 325_000,
        queries_per_minute: float | None = None,
        bytes_per_minute: float | None = None,
        burst: float = 2.0,
    ) -> None:
        self._clock = clock
        rates = {"units": units_per_minute, "queries": queries_per_minute, "bytes": bytes_per_minute}
        self._meters = {name: _Meter(rate, burst) for name, rate in rates.items()}
        self._turn = asyncio.Lock()
        self._pace = 1.0
        self._changed = float("-inf")
        self._paused_until = float("-inf")
        self._bounds: dict[str, float] = {}
        self._refusal: DriveBackupError | None = None
        #: What was spent in all, by resource.
        self.total = dict.fromkeys(rates, 0.0)
        #: The pace of others who share the budget; ours is never higher.
        self.pace_of_others = 1.0

    @property
    def pace(self) -> float:
        """The share of the budget that is in use now: 1 is all of it."""
        return min(1.0, self._pace + max(0.0, self._clock.monotonic() - self._changed) / self.recovery)

    async def acquire(self, units: float) -> None:
        """Wait until one call that costs ``units`` quota units may be made; first come, first served.

        :raises DriveBackupError: what :meth:`allow` was told.
        """
        async with self._turn:
            while True:
                held = self._held(units)
                now = self._clock.monotonic()
                slowest = max(self._meters.values(), key=lambda meter: meter.wait(now))
                wait = max(slowest.wait(now), self._paused_until - now, self.look if held else 0)
                if wait <= 0:
                    break
                if slowest.wait(now) > 0:
                    slowest.waited += min(wait, self.look)
                await self._clock.sleep(min(wait, self.look))
            for name, cost in _costs(units):
                self._take(name, cost)

    def received(self, count: int) -> None:
        """Account for bytes of content; the next call waits until they are paid."""
        self._take("bytes", count)

    def set_rates(self, rates: Mapping[str, float | None]) -> None:
        """Change the rates a minute, at once and for those who wait already.

        :param rates: by resource: ``units``, ``queries``, ``bytes``; None for no limit.
        """
        now = self._clock.monotonic()
        for name, rate in rates.items():
            self._meters[name].set_rate(rate, now)

    def allow(self, bounds: Mapping[str, float], refusal: DriveBackupError | None) -> None:
        """Bound what may be spent in all, until the next word.

        :param bounds: by resource, what :attr:`total` may become; what is missing has no bound.
        :param refusal: is raised by calls that would need more; None lets them wait.
        """
        self._bounds, self._refusal = dict(bounds), refusal

    def reading(self) -> dict[str, tuple[float, float]]:
        """Per resource: what was taken, and seconds that callers waited for it, since the last reading."""
        found = {name: (meter.used, meter.waited) for name, meter in self._meters.items()}
        for meter in self._meters.values():
            meter.used = meter.waited = 0.0
        return found

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

    def _take(self, name: str, amount: float) -> None:
        self.total[name] += amount
        self._meters[name].take(amount, self._clock.monotonic(), min(self._settle(), self.pace_of_others))

    def _held(self, units: float) -> bool:
        """Whether a call would exceed what is allowed in all."""
        held = any(
            self.total[name] + max(cost, 1) > self._bounds.get(name, float("inf")) for name, cost in _costs(units)
        )
        if held and self._refusal is not None:
            raise self._refusal
        return held

    def _settle(self) -> float:
        """The pace now; says so once when it is whole again."""
        pace = self.pace
        if pace == 1.0 and self._pace < 1.0:
            self._pace = 1.0
            log.info("calls to Drive are back at full pace")
        return pace


def _costs(units: float) -> tuple[tuple[str, float], ...]:
    return ("units", units), ("queries", 1), ("bytes", 0)
