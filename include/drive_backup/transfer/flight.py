"""How many files are copied at once: more while that brings more through, fewer when a service groans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from include.drive_backup.ports import Clock

START = 32
_LEAST = 4
#: Bytes that count as much as one more file.
_PER_FILE = 256 * 1024


class Flight:
    """Seats for files. After each round (as many landings as seats) it looks whether to have more or fewer.

    :param most: seats at most.
    :param strain: how often the services have said so far that they are busy.
    """

    def __init__(self, clock: Clock, most: int, strain: Callable[[], int]) -> None:
        self.most = most
        self.seats = min(START, most)
        self._clock = clock
        self._groans = strain
        self._taken = 0
        self._free = asyncio.Condition()
        self._rate = 0.0
        self._strain = 0
        self._begin_round()

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[None]:
        """Wait for a seat and have it."""
        async with self._free:
            await self._free.wait_for(lambda: self._taken < self.seats)
            self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            async with self._free:
                self._free.notify(max(1, self.seats - self._taken))

    def landed(self, size: int) -> None:
        """One file is through.

        :param size: its bytes.
        """
        self._landings += 1
        self._work += 1 + size / _PER_FILE
        if self._landings < self.seats:
            return
        rate = self._work / max(self._clock.monotonic() - self._began, 1e-6)
        groans = self._groans()
        self.seats = min(self.most, max(_LEAST, self._next(rate, groaning=groans > self._strain)))
        self._strain = groans
        self._begin_round()

    def _next(self, rate: float, *, groaning: bool) -> int:
        """Seats for the next round."""
        before, self._rate = self._rate, rate
        if groaning:
            return self.seats // 2
        if rate > before * 1.05:
            return self.seats + max(1, self.seats // 2)
        if rate < before * 0.75:
            return self.seats * 3 // 4
        # Feel the way: a service that can do more by now is found out.
        return self.seats + 1

    def _begin_round(self) -> None:
        self._began = self._clock.monotonic()
        self._landings = 0
        self._work = 0.0
