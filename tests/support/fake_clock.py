"""Time that passes when somebody sleeps."""

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    def __init__(self, now: datetime = datetime(2026, 3, 1, tzinfo=UTC)) -> None:
        self._start = now
        self._passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._passed += seconds
        await asyncio.sleep(0)

    def set(self, now: datetime) -> None:
        """It is another time of day; if that is later, the time between has passed."""
        self._passed += max(0.0, (now - self.now()).total_seconds())
        self._start = now - timedelta(seconds=self._passed)

    def pass_by(self, seconds: float) -> None:
        """Time passes while nobody looks: the process is frozen."""
        self._passed += seconds
