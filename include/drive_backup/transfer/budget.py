"""Bounded memory for many files at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """Bytes that are shared by all files in flight. First come, first served, so that a large file is not starved.

    :param total: bytes.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def take(self, amount: int) -> None:
        """Wait for so many bytes. Who needs more than there is gets all of it, alone."""
        amount = min(amount, self._total)
        async with self._turn:
            while self._free < amount:
                self._freed.clear()
                await self._freed.wait()
            self._free -= amount

    def give(self, amount: int) -> None:
        """Give back what :meth:`take` got."""
        self._free += min(amount, self._total)
        self._freed.set()

    @asynccontextmanager
    async def hold(self, amount: int) -> AsyncIterator[None]:
        """Have so many bytes for a while."""
        await self.take(amount)
        try:
            yield
        finally:
            self.give(amount)
