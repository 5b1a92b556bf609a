"""The quota as tasks share it: nearly all of it is used, nobody starves, and Drive has hardly anything to refuse."""

import asyncio

import pytest

from include.local_cloud.drive.quota import Limits
from tests.core.quota.simulated import World, small
from tests.support.virtual_time import run


async def together(*tasks):
    await asyncio.gather(*tasks)


def refusals(world):
    return len(world.refused) / (len(world.refused) + len(world.spent))


def test_one_task_alone_has_nearly_all_from_the_first_second():
    world = World(small())
    run(world.task("a", 180))
    assert world.rate(1, 61) > 0.9 * 60_000
    assert world.rate(60, 180) > 0.9 * 60_000
    assert not world.refused


@pytest.mark.parametrize("wrong", [0.0, 47.3])
def test_three_tasks_share_evenly_and_use_nearly_all(wrong):
    world = World(small())
    run(
        together(
            *(
                world.task(name, 300, begin=start, wrong=wrong * start)
                for name, start in [("a", 0), ("b", 1), ("c", 17)]
            )
        )
    )
    assert world.rate(60, 300) > 0.9 * 60_000
    assert refusals(world) < 0.001
    for name in "abc":
        assert world.rate(60, 300, name) == pytest.approx(world.rate(60, 300) / 3, rel=0.1)


def test_users_have_a_budget_each_and_the_project_bounds_them_all():
    world = World(small(project_units_per_minute=100_000))
    run(together(*(world.task(f"{user}{n}", 240, user=user) for user, n in ["a0", "a1", "a2", "b0"])))
    assert world.rate(60, 240) > 0.9 * 100_000
    assert world.rate(60, 240, "b0") == pytest.approx(world.rate(60, 240) / 2, rel=0.1)
    assert refusals(world) < 0.001


def test_a_task_that_needs_little_leaves_the_rest_to_the_others():
    world = World(small())
    run(together(world.task("busy", 240), world.task("idle", 240, workers=1, pause=9)))
    assert world.rate(60, 240, "busy") > 0.85 * 60_000
    assert world.rate(60, 240, "idle") == pytest.approx(200 * 60 / 9.1, rel=0.15)


def test_tasks_that_come_and_go_are_noticed_within_two_epochs():
    world = World(small())
    run(together(world.task("a", 240), world.task("b", 60, begin=60)))
    assert world.rate(85, 120, "b") == pytest.approx(world.rate(85, 120, "a"), rel=0.1)
    assert world.rate(150, 240, "a") > 0.9 * 60_000
    assert refusals(world) < 0.001


def test_calls_of_older_projects_are_shared_as_well():
    settings = small(units_per_minute=None, project_units_per_minute=None, queries_per_minute=300)
    world = World(settings, Limits(None, None, user_queries=300))
    run(together(world.task("a", 180), world.task("b", 180)))
    assert world.rate(60, 180) / 200 > 0.9 * 300
    assert refusals(world) < 0.001


def test_without_blob_each_task_keeps_to_a_fixed_share():
    world = World(small(tasks_at_once=4))
    world.store.down = True
    run(together(*(world.task(name, 120) for name in "abc")))
    assert world.rate(30, 120, "a") == pytest.approx(60_000 / 4, rel=0.1)


def test_blob_that_is_down_for_a_while_does_no_harm():
    world = World(small())

    async def outage():
        await asyncio.sleep(63)
        world.store.down = True
        await asyncio.sleep(40)
        world.store.down = False

    run(together(world.task("a", 240), world.task("b", 240), outage()))
    assert refusals(world) < 0.001
    assert world.rate(150, 240) > 0.9 * 60_000


def test_a_storm_slows_all_tasks_down_and_passes():
    world = World(small())

    async def storm():
        await asyncio.sleep(100)
        world.storm = 0.3
        await asyncio.sleep(60)
        world.storm = 0.0

    run(together(*(world.task(name, 420) for name in "abc"), storm()))
    for name in "abc":
        assert world.rate(120, 160, name) < 0.25 * world.rate(40, 100, name)
        assert world.rate(320, 420, name) > 0.9 * world.rate(40, 100, name)


def test_a_rate_error_of_one_task_slows_the_others_of_its_user():
    world = World(small(project_units_per_minute=None))

    async def main():
        one, other, stranger = (world.task("a", 200), world.task("b", 200), world.task("c", 200, user="c"))

        await together(one, other, stranger)

    work = world._work

    async def struck(name, user, limiter, pause):
        async def strike():
            await asyncio.sleep(100)
            for _ in range(5):
                limiter.slow_down()
                await asyncio.sleep(6)

        if name == "a":
            await asyncio.gather(work(name, user, limiter, pause), strike())
        else:
            await work(name, user, limiter, pause)

    world._work = struck
    run(main())
    assert world.rate(120, 130, "b") < 0.4 * world.rate(60, 100, "b")
    assert world.rate(120, 130, "c") > 0.9 * world.rate(60, 100, "c")


def test_nothing_is_left_behind_and_blob_is_asked_little():
    world = World(small())
    run(together(world.task("a", 600), world.task("b", 600)))
    assert not world.store.blobs
    assert sum(world.store.calls.values()) < 2 * 10 * 20


def test_the_claims_of_a_killed_task_are_cleared_away():
    world = World(small())

    async def main():
        killed = asyncio.create_task(world.task("a", 600))
        await asyncio.sleep(30)
        dead = dict(world.store.blobs)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        world.store.blobs |= dead
        await world.task("b", 400)

    run(main())
    assert not world.store.blobs
