"""The real clocks. The only module of the core that reads the time or sleeps; everything else is handed a Clock.

A worker's time of day may be wrong by years. What is stored, and what is compared with something stored, is of the
container's clock: that one all workers share.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self

from include.drive_backup.ports import BlobStore, Clock

# A machine that was suspended must not believe that no time has passed: on Linux only this clock goes on meanwhile.
_monotonic: Callable[[], float] = time.monotonic
if sys.platform != "win32" and hasattr(time, "CLOCK_BOOTTIME"):
    _monotonic = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class SystemClock:
    """Implements :class:`include.drive_backup.ports.Clock`."""

    def now(self) -> datetime:
        """Aware UTC time of day."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow, also while the machine sleeps, where the platform can tell."""
        return _monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)


class StoreClock:
    """The time of a container's service, which is asked for it once; from then on this machine counts the seconds.

    Implements :class:`include.drive_backup.ports.Clock`.

    :param now: the service's time at this moment.
    :param clock: counts the seconds, and sleeps; its time of day is of no use.
    """

    def __init__(self, now: datetime, clock: Clock) -> None:
        self._begin, self._clock = now, clock
        self._started = clock.monotonic()

    @classmethod
    async def of(cls, store: BlobStore, clock: Clock | None = None) -> Self:
        """Ask a container for the time.

        :param clock: None: the real one.
        """
        clock = clock or SystemClock()
        return cls(await store.now(), clock)

    def now(self) -> datetime:
        """Aware UTC time of day."""
        return self._begin + timedelta(seconds=self.monotonic() - self._started)

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await self._clock.sleep(seconds)
