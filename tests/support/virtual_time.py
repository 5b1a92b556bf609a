"""Minutes that pass in milliseconds: an event loop whose time jumps to the next timer when nothing is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0
        select = self._selector.select

        def jump(timeout: float | None = None) -> list[Any]:
            ready = select(0)
            if not ready and timeout:
                self._passed += timeout
            return ready

        self._selector.select = jump

    def time(self) -> float:
        return self._passed


class VirtualClock:
    """The loop's time. Like a worker's, its time of day may be wrong.

    :param wrong: seconds by which it is ahead.
    """

    def __init__(self, wrong: float = 0.0) -> None:
        self._begin = datetime(2026, 11, 23, 12, 0, 3, tzinfo=UTC) + timedelta(seconds=wrong)

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
