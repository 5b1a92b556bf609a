"""Waiting: how long after a failure, how fast all together."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.errors import (
    CredentialsError,
    DriveBackupError,
    RateLimitError,
    ServiceUnavailableError,
    StoppedError,
)
from include.drive_backup.pacing import Backoff, QuotaLimiter, retry
from tests.support.scripted_drive import FakeClock

DOWN = ServiceUnavailableError("Down.", service="drive")


class Call:
    """Fails as told, then succeeds."""

    def __init__(self, *errors: DriveBackupError) -> None:
        self.errors = list(errors)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_wait_doubles_up_to_the_cap_and_is_spread(failures: int, chance: float) -> None:
    wait = Backoff(cap=32).delay(failures, chance)
    ceiling = min(32, 2.0 ** min(failures - 1, 30))

    assert ceiling / 2 <= wait <= ceiling


async def test_a_call_is_repeated_until_it_succeeds() -> None:
    clock, call = FakeClock(), Call(DOWN, DOWN, DOWN)

    assert await retry(call, backoff=Backoff(), clock=clock, chance=lambda: 0.99999) == "done"
    assert clock.sleeps == pytest.approx([1, 2, 4], rel=1e-3)


async def test_the_last_error_is_raised_after_the_last_attempt_without_another_wait() -> None:
    clock, call = FakeClock(), Call(*[DOWN] * 9)

    with pytest.raises(ServiceUnavailableError):
        await retry(call, backoff=Backoff(attempts=3), clock=clock)
    assert (call.count, len(clock.sleeps)) == (3, 2)


@pytest.mark.parametrize("error", [CredentialsError("No."), StoppedError("Stop.")])
async def test_what_cannot_help_is_not_repeated(error: DriveBackupError) -> None:
    call = Call(error)

    with pytest.raises(type(error)):
        await retry(call, backoff=Backoff(), clock=FakeClock())
    assert call.count == 1


async def test_retry_after_is_waited_for_but_not_for_ever() -> None:
    clock = FakeClock()
    await retry(Call(RateLimitError("Slow.", retry_after=40)), backoff=Backoff(), clock=clock)
    assert clock.sleeps == [40]

    call = Call(RateLimitError("Slow.", retry_after=3600))
    with pytest.raises(RateLimitError) as caught:
        await retry(call, backoff=Backoff(), clock=clock)
    assert (call.count, caught.value.retry_after) == (1, 3600)


async def spend(limiter: QuotaLimiter, clock: FakeClock, costs: list[float]) -> list[tuple[float, float]]:
    spent: list[tuple[float, float]] = []
    for cost in costs:
        await limiter.acquire(cost)
        spent.append((clock.time, cost))
    return spent


@given(costs=st.lists(st.sampled_from([5.0, 100.0, 200.0]), min_size=1, max_size=200))
def test_no_minute_ever_gets_more_than_the_budget(costs: list[float]) -> None:
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=6000, burst=2)
    spent = asyncio.run(spend(limiter, clock, costs))

    for start, _ in spent:
        window = [cost for time, cost in spent if start <= time < start + 60]
        assert sum(window) <= 6000 + max(costs)  # the call that the budget ends with is begun whole


async def test_a_budget_of_calls_holds_as_well() -> None:
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=None, queries_per_minute=600, burst=0)
    spent = await spend(limiter, clock, [200.0] * 101)

    assert spent[-1][0] - spent[0][0] == pytest.approx(10)


async def test_no_limits_mean_no_waits() -> None:
    clock = FakeClock()
    await spend(QuotaLimiter(clock, units_per_minute=None), clock, [200.0] * 1000)

    assert clock.sleeps == []


async def test_many_callers_share_one_budget() -> None:
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=6000, burst=0)
    await asyncio.gather(*(limiter.acquire(100) for _ in range(11)))

    assert clock.time == pytest.approx(1010)


async def test_a_rate_error_halves_the_pace_of_all_once_and_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=6000, burst=0)

    for _ in range(20):  # twenty calls that were under way together
        limiter.slow_down()
    assert limiter.pace == 0.5
    clock.time += limiter.echo
    limiter.slow_down()
    assert limiter.pace < 0.3

    before = clock.time
    await spend(limiter, clock, [100.0] * 3)
    assert clock.time - before > 2 / 0.35

    clock.time += limiter.recovery
    await limiter.acquire(5)
    assert limiter.pace == 1.0
    assert [record.message for record in caplog.records] == [
        "Drive asks to slow down; calls are paced until it no longer does",
        "calls to Drive are back at full pace",
    ]


async def test_a_storm_never_stops_the_calls_for_good() -> None:
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=6000, burst=0)
    for _ in range(100):
        clock.time += limiter.echo
        limiter.slow_down()

    assert limiter.pace >= limiter.slowest


async def test_retry_after_holds_back_those_who_wait_already() -> None:
    clock = FakeClock()
    limiter = QuotaLimiter(clock, units_per_minute=6000, burst=0)
    await limiter.acquire(100)
    waiting = asyncio.create_task(limiter.acquire(100))
    await asyncio.sleep(0)
    limiter.slow_down(retry_after=30)
    await waiting

    assert clock.time >= 1030
