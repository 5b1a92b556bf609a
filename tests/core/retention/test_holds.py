"""A hold that has answered holds, whatever other holds and releases do at the same time."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import TransientError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.retention.holds import hold, read_holds, release
from tests.core.retention.house import ANN, House
from tests.support.gates import Gate, GatedStore, Killed, after, at


@pytest.fixture
async def house():
    made = House()
    for day in range(2):
        made.tomorrow()
        await made.back_up(day)
    return made


async def first(house):
    return (await SnapshotRepository(house.store).names(ANN))[0]


async def can_be_deleted(house, name):
    return not await house.store.delete([name.manifest])


@pytest.mark.parametrize("point", [at("end_lease", ""), at("list", "holds/", 1), at("put", "/~")])
async def test_a_release_that_is_frozen_after_its_look_does_not_end_a_later_hold(house, point):
    name = await first(house)
    await hold(house.store, name, "case-1")
    gate = Gate(point)
    frozen = asyncio.create_task(release(GatedStore(house.store, gate), name, "case-1"))
    await gate.frozen.wait()
    assert await hold(house.store, name, "case-2")
    gate.thaw()
    assert await frozen
    assert not await can_be_deleted(house, name)
    assert await release(house.store, name, "case-2")
    assert house.store.leases == {}


@pytest.mark.parametrize("operation", ["lease", "read", "list"])
async def test_a_hold_that_is_interrupted_takes_away_no_other_of_the_same_tag(house, operation):
    name = await first(house)
    gate = Gate(at(operation, ""))
    interrupted = asyncio.create_task(hold(GatedStore(house.store, gate), name, "case-7"))
    await gate.frozen.wait()
    assert not await hold(house.store, name, "case-7")
    interrupted.cancel()
    gate.thaw()
    with suppress(asyncio.CancelledError):
        await interrupted
    assert await read_holds(house.store, ANN) == {name.key: ("case-7",)}
    assert not await can_be_deleted(house, name)


async def test_a_hold_whose_record_a_release_takes_meanwhile_writes_it_again(house):
    name = await first(house)
    gate = Gate(at("list", "holds/", 1))
    holding = asyncio.create_task(hold(GatedStore(house.store, gate), name, "case-7"))
    await gate.frozen.wait()
    assert await release(house.store, name, "case-7")
    gate.thaw()
    assert await holding
    assert await read_holds(house.store, ANN) == {name.key: ("case-7",)}
    assert not await can_be_deleted(house, name)


async def test_a_hold_that_others_release_again_and_again_says_so(house, monkeypatch):
    name = await first(house)
    real = house.store.lease

    async def lease(manifest, **options):
        done = await real(manifest, **options)
        await release(house.store, name, "case-7")
        return done

    monkeypatch.setattr(house.store, "lease", lease)
    with pytest.raises(TransientError, match="Hold it again in a minute"):
        await hold(house.store, name, "case-7")


STOPS = st.integers(0, 12)
KINDS = st.sampled_from(["freeze", "kill"])
DEED = st.tuples(st.sampled_from([hold, release]), st.sampled_from(["a", "b"]), STOPS, KINDS)
DEEDS = st.lists(DEED, min_size=2, max_size=4)


@settings(max_examples=150, deadline=None)
@given(deeds=DEEDS, order=st.randoms())
async def test_of_holds_and_releases_at_once_each_hold_that_answered_and_was_not_released_holds(deeds, order):
    """Each stops at some request, some die there; the others wake up in any order, when all else has stopped."""
    house = House()
    await house.back_up()
    name = await first(house)
    await hold(house.store, name, "a")
    tasks, gates = [], []
    for do, tag, requests, kind in deeds:
        gate = Gate(after(requests), kind)
        tasks.append(asyncio.create_task(do(GatedStore(house.store, gate), name, tag)))
        gates.append(gate)
        for _ in range(60):
            await asyncio.sleep(0)
    assert await hold(house.store, name, "last")
    order.shuffle(gates)
    for gate in gates:
        gate.thaw()
        for _ in range(60):
            await asyncio.sleep(0)
        # Whatever has happened, this one has answered and nobody released it.
        assert not await can_be_deleted(house, name)
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert not isinstance(result, BaseException) or isinstance(result, Killed)
    assert "last" in (await read_holds(house.store, ANN))[name.key]
    for tag in ("a", "b", "last"):
        await release(house.store, name, tag)
    assert house.store.leases == {}
