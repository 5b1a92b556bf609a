"""The real clock. The only module of the core that reads the time or sleeps; everything else is handed a Clock."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

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
