"""The real clock. The only module of the core that reads the time or sleeps; everything else is handed a Clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements :class:`include.drive_backup.ports.Clock`."""

    def now(self) -> datetime:
        """Aware UTC time of day."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)
