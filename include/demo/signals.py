"""Being told to stop: Ctrl-C, SIGTERM and a closed terminal all mean the same, and are heard once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_once() -> None:
    """Turn the first signal into KeyboardInterrupt, and ignore more of them: the cleaning up must come to its end."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOP:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in STOP:
        # Who says nohup does not want it to end with its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals wait until the end, where what was begun is written down. For the main thread.

    They are noted and not blocked, because a child would inherit the blocking.
    """
    noted: list[int] = []
    before = {number: signal.signal(number, lambda number, _: noted.append(number)) for number in STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if noted:
            signal.raise_signal(noted[0])
