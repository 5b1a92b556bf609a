"""Two event loops in one process, as of a task and of a callback that is still busy, share one line to Airflow."""

import asyncio
import threading

import pytest

from drive_backup_airflow.supervisor_line import ask, ask_async


class Line:
    """What `CommsDecoder.asend` is made of: one asyncio.Lock for whatever loop asks."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.asked = 0

    async def asend(self):
        async with self.lock:
            await asyncio.sleep(0.5)
            self.asked += 1
            return self.asked


def both(question):
    """Two loops that ask at the same moment; how many have their answer after a while."""

    async def main():
        # Something far away to wake up for, as a task's own time-out is.
        asyncio.get_running_loop().call_later(3600, lambda: None)
        start.wait(10)
        await question()
        done.append(1)

    done, start = [], threading.Barrier(2)
    threads = [threading.Thread(target=asyncio.run, args=(main(),), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4)
    return len(done)


def test_two_loops_both_get_an_answer():
    line = Line()
    assert both(lambda: ask_async(line.asend)) == 2


def test_airflows_own_way_gets_stuck():
    """The reason for all this; when it fails, Airflow has learned better."""
    line = Line()
    assert both(line.asend) == 1


async def test_whoever_gives_up_waiting_leaves_the_line_usable():
    line = Line()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask_async(line.asend)
    assert await ask_async(line.asend) == 2
    assert not line.lock.locked()


async def test_a_refusal_comes_through():
    def refuse():
        raise LookupError("no such connection")

    with pytest.raises(LookupError, match="no such"):
        await ask(refuse)
