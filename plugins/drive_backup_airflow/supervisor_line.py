"""Ask Airflow from inside an event loop without ever getting stuck.

A task has one line to its supervisor. Airflow's asynchronous way onto it (``CommsDecoder.asend`` in 3.3.2) holds an
``asyncio.Lock`` that serves one event loop only: with a second loop in the process, such as that of a callback that is
still sending an event, whoever waits for the lock is never woken. And when it is cancelled, by a time limit for
instance, it leaves the line locked, or an answer on it for the wrong reader. So every question is asked in a thread,
one at a time, and to its end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_one_at_a_time = threading.Lock()


async def ask(question: Callable[[], T]) -> T:
    """The answer to a synchronous question. Cancelling ends the waiting, not the asking."""
    return await asyncio.to_thread(_ask, question)


async def ask_async(question: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As :func:`ask`, for a question that is a coroutine: it runs in a loop of its own."""
    return await ask(lambda: asyncio.run(question()))


def _ask(question: Callable[[], T]) -> T:
    with _one_at_a_time:
        return question()
