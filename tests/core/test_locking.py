"""One run at a time has a source, through the gaps between its tasks; and nobody waits long for the dead."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import SourceBusyError, TransientError
from include.drive_backup.locking import LIFETIME, SourceLock, holding
from include.drive_backup.model import Source
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

ANN = Source(kind="user", id="ann@example.com")
LIVES = LIFETIME.total_seconds()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    store = MemoryBlobStore()
    store.clock = clock
    return store


def lock(store, holder, **options):
    return SourceLock(store, ANN, holder, clock=getattr(store, "clock", None), **options)


async def test_another_run_is_told_who_holds_it_and_may_try_again(store):
    await lock(store, "backup/one").take()
    with pytest.raises(SourceBusyError, match=r"user/ann@example.com is held by another run, backup/one") as caught:
        await lock(store, "backup/two").take()
    assert isinstance(caught.value, TransientError)
    await SourceLock(store, Source(kind="user", id="ann@example.com.au"), "backup/two").take()


async def test_it_is_the_runs_through_the_gaps_between_its_tasks(store, clock):
    for _ in range(3):
        await lock(store, "backup/one").take()
        await clock.sleep(LIVES - 1)
        with pytest.raises(SourceBusyError):
            await lock(store, "backup/two").take()


async def test_it_frees_itself_when_nothing_is_heard_of_the_run(store, clock, caplog):
    await lock(store, "backup/dead").take()
    await clock.sleep(LIVES)
    await lock(store, "backup/next").take()
    assert "left behind by backup/dead" in caplog.text
    with pytest.raises(SourceBusyError, match="was lost"):
        await lock(store, "backup/dead").confirm()


async def test_a_run_that_is_known_to_have_ended_holds_nothing(store):
    await lock(store, "backup/over").take()

    async def has_ended(holder):
        return holder == "backup/over"

    await lock(store, "backup/next", has_ended=has_ended).take()
    with pytest.raises(SourceBusyError):
        await lock(store, "backup/third", has_ended=has_ended).take()


async def test_it_is_given_back_by_its_holder_alone(store):
    one, two = lock(store, "backup/one"), lock(store, "backup/two")
    await one.take()
    await two.give_back()
    with pytest.raises(SourceBusyError):
        await two.take()
    await one.give_back()
    await two.take()
    with pytest.raises(SourceBusyError):
        await one.confirm()


async def test_confirming_renews_and_a_long_silence_is_a_loss(store, clock):
    mine = lock(store, "backup/one")
    with pytest.raises(SourceBusyError):
        await mine.confirm()
    await mine.take()
    for _ in range(10):
        await clock.sleep(LIVES / 2)
        await mine.confirm()
    await clock.sleep(LIVES)
    with pytest.raises(SourceBusyError, match="was lost"):
        await mine.confirm()


async def test_a_writer_that_slept_for_long_does_not_get_in_by_an_old_number(store):
    one, two = lock(store, "backup/one"), lock(store, "backup/two")
    real, woken = store.put, asyncio.Event()

    async def slow(name, data, **options):
        if options["metadata"].get("holder") == "backup/two":
            await woken.wait()
        return await real(name, data, **options)

    store.put = slow
    late = asyncio.create_task(two.take())
    await asyncio.sleep(0)
    for _ in range(5):
        await one.take()
    woken.set()
    with pytest.raises(SourceBusyError):
        await late
    await one.confirm()


async def test_where_nothing_can_be_deleted_it_works_all_the_same(store):
    store.immutable = {f"locks/user/ann@example.com/{number:010d}" for number in range(100)}
    for _ in range(3):
        one = lock(store, "backup/one")
        await one.take()
        with pytest.raises(SourceBusyError):
            await lock(store, "backup/two").take()
        await one.give_back()


async def test_it_leaves_one_blob(store):
    for holder in ("one", "two", "three"):
        await lock(store, holder).take()
        again = lock(store, holder)
        await again.take()
        await again.give_back()
    assert len(store.blobs) == 1


async def test_of_many_at_once_one_gets_it(store):
    locks = [lock(store, f"run/{number}") for number in range(8)]
    got = await asyncio.gather(*(each.take() for each in locks), return_exceptions=True)
    assert sum(result is None for result in got) == 1


@settings(max_examples=200)
@given(order=st.lists(st.integers(0, 2), max_size=200))
async def test_never_two_holders_whatever_the_timing(order):
    """Three runs take and give back; which of them moves next, one request at a time, is drawn."""
    store, holders, gates = MemoryBlobStore(), [], [asyncio.Semaphore(0) for _ in range(3)]

    class Stepped:
        def __init__(self, gate):
            self.gate = gate

        def list(self, prefix, *, metadata=False):
            return self._list(prefix, metadata)

        async def _list(self, prefix, metadata):
            await self.gate.acquire()
            for info in [each async for each in store.list(prefix, metadata=metadata)]:
                yield info

        async def put(self, *arguments, **options):
            await self.gate.acquire()
            return await store.put(*arguments, **options)

        async def delete(self, names):
            await self.gate.acquire()
            return await store.delete(names)

        async def now(self):
            return await store.now()

    async def run(number):
        mine = lock(Stepped(gates[number]), f"run/{number}")
        for _ in range(3):
            try:
                await mine.take()
            except SourceBusyError:
                continue
            holders.append(number)
            assert holders == [number]
            await asyncio.sleep(0)
            holders.remove(number)
            await mine.give_back()

    runs = [asyncio.create_task(run(number)) for number in range(3)]
    for number in order:
        gates[number].release()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    for gate in gates:
        for _ in range(500):
            gate.release()
    await asyncio.gather(*runs)


async def test_the_block_is_stopped_when_the_lock_is_lost(store, clock):
    stopped = []

    async def work():
        async with holding(lock(store, "backup/one"), clock):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                stopped.append(True)
                raise

    async def thief():
        await asyncio.sleep(0)
        store.blobs.clear()
        await lock(store, "backup/two").take()

    with pytest.raises(SourceBusyError, match="was lost"):
        await asyncio.gather(work(), thief())
    assert stopped


async def test_somebody_elses_cancelling_stays_a_cancelling(store, clock):
    async def work():
        async with holding(lock(store, "backup/one"), clock):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_the_block_keeps_the_lock_alive_and_its_error_comes_through(store, clock):
    async with holding(lock(store, "backup/one"), clock):
        while clock.monotonic() < 3 * LIVES:  # noqa: ASYNC110 - the clock moves when another task sleeps
            await asyncio.sleep(0)
        with pytest.raises(SourceBusyError):
            await lock(store, "backup/two").take()
    with pytest.raises(SourceBusyError):
        await lock(store, "backup/two").take()
    with pytest.raises(ValueError, match="mine"):
        async with holding(lock(store, "backup/one"), clock, give_back=True):
            raise ValueError("mine")
    await lock(store, "backup/two").take()


async def test_the_block_is_not_begun_without_the_lock(store, clock):
    one = lock(store, "backup/one")
    await one.take()
    with pytest.raises(SourceBusyError):
        async with holding(lock(store, "backup/two"), clock, give_back=True):
            raise AssertionError("begun")
    await one.confirm()


async def test_it_is_judged_by_the_services_own_clock(store, clock):
    await lock(store, "backup/one").take()
    fast = FakeClock(clock.now() + timedelta(days=1))
    with pytest.raises(SourceBusyError):
        async with holding(lock(store, "backup/two"), fast):
            pass


async def test_a_frozen_process_is_not_revived_by_a_later_try_of_its_run(store, clock):
    """All tries of a run have one name: that the name has the lock now says nothing of the time between."""
    frozen = lock(store, "backup/one")
    await frozen.take()
    clock.pass_by(LIVES)
    retention = lock(store, "retention/1")
    await retention.take()
    await retention.give_back()
    await lock(store, "backup/one").take()
    with pytest.raises(SourceBusyError, match="was lost"):
        await frozen.confirm()
    with pytest.raises(SourceBusyError, match="was lost"):
        frozen.ensure()


async def test_it_was_lost_though_nobody_had_it_between_two_tries(store, clock):
    """Somebody may have had it: who wakes up cannot tell."""
    frozen = lock(store, "backup/one")
    await frozen.take()
    clock.pass_by(LIVES)
    await lock(store, "backup/one").take()
    with pytest.raises(SourceBusyError, match="was lost"):
        await frozen.confirm()


async def test_the_tasks_of_a_run_keep_it_for_each_other_without_a_break(store, clock):
    first = lock(store, "backup/one")
    await first.take()
    for _ in range(5):
        clock.pass_by(LIVES * 0.8)
        await lock(store, "backup/one").take()
    await first.confirm()
    first.ensure()


async def test_without_a_look_it_holds_until_shortly_before_its_end(store, clock):
    mine = lock(store, "backup/one")
    with pytest.raises(SourceBusyError):
        mine.ensure()
    await mine.take()
    clock.pass_by(LIVES * 0.89)
    mine.ensure()
    clock.pass_by(LIVES * 0.02)
    with pytest.raises(SourceBusyError, match="was lost"):
        mine.ensure()
    # Nobody has taken it yet: a look tells, and renews it.
    await mine.confirm()
    clock.pass_by(LIVES * 0.89)
    mine.ensure()


async def test_the_age_of_what_was_looked_at_counts(store, clock):
    mine = lock(store, "backup/one")
    await mine.take()
    clock.pass_by(LIVES * 0.2)
    await mine.confirm()  # too young to be renewed
    clock.pass_by(LIVES * 0.69)
    mine.ensure()
    clock.pass_by(LIVES * 0.02)
    with pytest.raises(SourceBusyError):
        mine.ensure()


async def test_a_look_that_took_long_counts_from_its_beginning(store, clock):
    mine, real = lock(store, "backup/one"), store.now
    await mine.take()

    async def slow():
        now = await real()
        clock.pass_by(LIVES)
        return now

    store.now = slow
    await mine.confirm()
    with pytest.raises(SourceBusyError):
        mine.ensure()


async def test_who_has_lost_it_does_not_give_back_what_a_later_try_has(store, clock):
    frozen, later = lock(store, "backup/one"), lock(store, "backup/one")
    await frozen.take()
    clock.pass_by(LIVES)
    await later.take()
    await frozen.give_back()
    await later.confirm()
    with pytest.raises(SourceBusyError):
        await lock(store, "retention/1").take()


async def test_what_was_given_back_is_no_longer_relied_on(store):
    mine = lock(store, "backup/one")
    await mine.take()
    await mine.give_back()
    with pytest.raises(SourceBusyError):
        mine.ensure()


async def test_whoever_deletes_waits_for_the_end_of_another_lock_and_is_waited_for(store, clock):
    """Only a backup takes a lock over early, and never one under which something may still be deleted."""

    async def has_ended(holder):
        return True

    with pytest.raises(ValueError, match="has expired"):
        lock(store, "retention/1", has_ended=has_ended).will_delete()
    retention = lock(store, "retention/1")
    retention.will_delete()
    await retention.take()
    clock.pass_by(LIVES - 1)
    with pytest.raises(SourceBusyError, match="retention/1"):
        await lock(store, "backup/one", has_ended=has_ended).take()
    await retention.confirm()
    clock.pass_by(LIVES - 1)
    with pytest.raises(SourceBusyError, match="retention/1"):
        await lock(store, "backup/one", has_ended=has_ended).take()
    clock.pass_by(1)
    await lock(store, "backup/one", has_ended=has_ended).take()
