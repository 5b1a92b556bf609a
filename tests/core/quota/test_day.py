"""The budget of a day: kept by all tasks and runs together; who reaches it is told when to go on."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from include.drive_backup.quota.day import day_end
from tests.core.quota.simulated import World, small
from tests.support.virtual_time import run


async def together(*tasks):
    await asyncio.gather(*tasks)


def spent(world):
    return sum(units for _, _, units in world.spent)


def test_tasks_stop_when_they_have_spent_the_days_units_together():
    world = World(small(units_per_day=100_000))
    run(together(world.task("a", 600), world.task("b", 600, begin=20)))
    assert 100_000 - 4 * 200 <= spent(world) <= 100_000
    assert {name for name, _ in world.stopped} == {"a", "b"}
    assert "limits.units_per_day" in world.stopped[0][1]
    assert "a run after 2026-11-24 08:00 UTC goes on" in world.stopped[0][1]


def test_a_later_run_of_the_same_day_has_what_the_first_one_left_and_the_next_day_is_new():
    world = World(small(units_per_day=100_000))

    async def runs():
        await world.task("first", 60)
        await world.task("second", 600)
        assert 100_000 - 4 * 200 <= spent(world) <= 100_000
        await world.task("third", 60)
        assert spent(world) <= 100_000
        await asyncio.sleep(20 * 3600)
        await world.task("next day", 60)

    run(runs())
    assert world.rate(0, 1e6, "next day") > 0
    assert spent(world) > 140_000


def test_a_job_has_a_budget_of_its_own():
    world = World(small(job="nightly", job_units_per_day=40_000, units_per_day=10**9))
    other = replace(world.settings, job="other", job_units_per_day=None)
    run(together(world.task("a", 300), world.task("b", 300, settings=other)))
    assert 40_000 - 4 * 200 <= sum(units for _, name, units in world.spent if name == "a") <= 40_000
    assert {name for name, _ in world.stopped} == {"a"}
    assert "jobs.nightly.units_per_day" in world.stopped[0][1]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-23T12:00", "2026-11-24T08:00"),
        ("2026-07-01T06:59", "2026-07-01T07:00"),
        ("2026-11-01T07:30", "2026-11-02T08:00"),
    ],
)
def test_googles_day_ends_at_midnight_in_california(now, end):
    assert day_end(datetime.fromisoformat(now).replace(tzinfo=UTC)) == datetime.fromisoformat(end).replace(tzinfo=UTC)
