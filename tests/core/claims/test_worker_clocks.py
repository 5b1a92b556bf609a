"""A worker's time of day may be wrong by years: it is not believed, and what it wrote once does no harm later."""

from datetime import UTC, datetime, timedelta

import pytest

from include.drive_backup.clock import StoreClock
from include.drive_backup.model import Source
from include.drive_backup.verification.sample import due, mark_read
from tests.support.claims import FIRST, Nights
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file

ANN = Source(kind="user", id="ann@example.com")
YEAR = timedelta(days=365)


@pytest.fixture
async def nights():
    made = Nights(file("f", b"f", id="f"))
    for _ in range(3):
        await made.night()
    return made


@pytest.mark.parametrize("wrong", [YEAR, 2 * YEAR, timedelta(days=3_000)])
async def test_a_clock_that_was_ahead_once_does_not_put_off_full_listings(nights, wrong):
    nights.late += wrong
    await nights.night()
    nights.late -= wrong
    await nights.night()
    assert (await nights.manifest()).listed.why == "due"
    await nights.night()
    assert (await nights.manifest()).listed.kind == "changes"


async def test_a_clock_that_was_ahead_in_the_first_run_does_not_keep_listings_unproven_for_years():
    nights = Nights(file("f", b"f", id="f"), late=YEAR)
    await nights.night()
    nights.late = timedelta(minutes=10)
    kinds = []
    for _ in range(4):
        await nights.night()
        kinds.append((await nights.manifest()).listed.kind)
    assert kinds[-1] == "changes"


async def test_a_snapshot_of_a_clock_that_was_ahead_is_not_taken_for_a_look_from_after_an_instant(nights):
    nights.late += YEAR
    await nights.night()
    nights.late -= YEAR
    nights.backup.clock.set(FIRST + timedelta(days=6))
    await nights.rows(await nights.backup.run("2026-03-03T12:00"))
    assert (await nights.manifest()).past.after is None


async def test_reading_again_goes_on_after_a_clock_that_was_ahead():
    store, now = MemoryBlobStore(), datetime(2026, 3, 1, tzinfo=UTC)
    await mark_read(store, ANN, await due(store, ANN, 28, now + YEAR))
    read = set()
    for day in range(28):
        sample = await due(store, ANN, 28, now + timedelta(days=day))
        assert sample.buckets
        read |= set(sample.buckets)
        await mark_read(store, ANN, sample)
    assert read == set(range(28))


async def test_the_time_is_the_containers_and_this_machine_only_counts_the_seconds():
    store, ours = MemoryBlobStore(), FakeClock(datetime(2031, 1, 1, tzinfo=UTC))
    store.clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock = await StoreClock.of(store, ours)
    assert clock.now() == store.clock.now()
    await clock.sleep(90)
    ours.set(datetime(2001, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2026, 3, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == 90
