"""Memory is bounded, and nobody waits for ever."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.transfer.budget import MemoryBudget


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 200))
def test_never_more_than_the_total_and_never_a_deadlock(amounts, total):
    held, most = 0, 0

    async def use(budget, amount):
        nonlocal held, most
        async with budget.hold(amount):
            held += min(amount, total)
            most = max(most, held)
            await asyncio.sleep(0)
            held -= min(amount, total)

    async def run():
        budget = MemoryBudget(total)
        async with asyncio.timeout(10):
            await asyncio.gather(*(use(budget, amount) for amount in amounts))

    asyncio.run(run())
    assert most <= total
    assert held == 0


async def test_a_large_file_is_not_starved_by_small_ones():
    budget, order = MemoryBudget(10), []

    async def use(name, amount):
        async with budget.hold(amount):
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(use("small 1", 6), use("large", 10), *(use(f"small {n}", 1) for n in range(2, 9)))
    assert order[1] == "large"


async def test_memory_comes_back_when_a_file_fails_or_is_cancelled():
    budget = MemoryBudget(10)

    async def wait():
        async with budget.hold(5):
            pass

    with contextlib.suppress(ValueError):
        async with budget.hold(10):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            raise ValueError
    async with asyncio.timeout(1), budget.hold(10):
        pass
