"""The manifest says what the run really spent, whatever became of its tries, and what was expected."""

import asyncio

import pytest
from msgspec.structs import replace

from include.drive_backup.cost import Cost, Expectation, Prices, estimate, writes_of
from include.drive_backup.errors import ServiceUnavailableError, TransientError
from include.drive_backup.handover import SourceTask
from include.drive_backup.model import ApiUse
from include.drive_backup.spent import EVERY, Spent, recorded, spent_by_run
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, cut
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file

TASK = SourceTask(source="user/ann@example.com", instant="20260301T000000.000Z", run="r1")


def api(drive):
    return {key: value for key, value in drive.use.to_dict().items() if value}


async def test_the_listing_and_every_try_of_a_batch_count_failed_ones_too():
    backup = Backup(FakeDrive(file("a", b"one", id="a"), file("b", b"two", id="b")))
    backup.drive.bodies["a"] = [cut] * 5
    plan, (batch,) = await backup.plan()
    with pytest.raises(TransientError):
        await backup.copy(batch)
    await backup.copy(batch, resume=True)
    summary = await backup.commit(plan)
    assert summary["status"] == "complete"
    assert summary["api"] == api(backup.drive)
    assert summary["api"]["units"] > 6 * 200
    assert summary["cost"]["units"] == summary["api"]["units"]


async def test_two_runs_do_not_pay_for_each_other():
    backup = Backup(FakeDrive(file("a", b"one", id="a")))
    await backup.run()
    before = backup.drive.use
    second = await backup.run("2026-03-02")
    assert second["api"]["units"] == backup.drive.use.units - before.units


async def test_a_try_that_is_killed_has_recorded_all_but_the_last_seconds():
    drive, store = FakeDrive(), MemoryBlobStore()

    class Beat(FakeClock):
        async def sleep(self, seconds):
            await super().sleep(seconds)
            if self.monotonic() > 3 * EVERY:
                await asyncio.Event().wait()

    book = recorded(drive, store, TASK, Beat())
    await book.__aenter__()
    drive._use = ApiUse(calls=1, units=100)
    for _ in range(20):
        await asyncio.sleep(0)
    assert await spent_by_run(store, TASK) == Spent(calls=1, units=100, writes=0)
    assert len([name for name in store.blobs if "/spent/" in name]) == 1
    await book.__aexit__(None, None, None)


async def test_books_that_cannot_be_kept_fail_nothing(caplog):
    def down(phase, operation, name):
        if "/spent/" in name:
            raise ServiceUnavailableError("Blob is down.", service="blob")

    drive = FakeDrive()
    async with recorded(drive, MemoryBlobStore(fault=down), TASK, FakeClock()):
        drive._use = ApiUse(calls=1, units=100)
    assert "the manifest will show less" in caplog.text


def test_an_estimate_is_of_quota_for_small_files_and_of_the_line_for_large_ones():
    expected = Expectation(
        prices=Prices(storage_gb_month=0.02, writes_10k=0.1), units_per_minute=20_000, mb_per_second=100
    )
    small = estimate([1000] * 10_000, expected, units=500, minutes=2.0)
    assert (small.files, small.bytes, small.units) == (10_000, 10_000_000, 2_000_500)
    assert (small.minutes, small.writes, small.writes_once) == (102.0, 10_000, 0.1)
    large = estimate([6 * 10**11], replace(expected, units_per_minute=100_000), units=0, minutes=0.0)
    assert (large.minutes, large.storage_month) == (100.0, 12.0)
    # A large file is downloaded in ranges of ten blocks of 12 MiB: with smaller ones it would need too many of them.
    assert large.units == 4_769 * 200
    assert "600.0 GB" in str(large)
    assert "12.00 USD a month" in str(large)


@pytest.mark.parametrize(("size", "writes"), [(0, 1), (8 * 2**20, 1), (8 * 2**20 + 1, 3), (80 * 2**20, 11)])
def test_content_takes_a_write_or_one_per_block_and_the_commit(size, writes):
    assert writes_of(size) == writes


async def test_the_manifest_has_the_estimate_beside_what_was_and_what_was_selected():
    backup = Backup(FakeDrive(file("a.txt", b"one", id="a"), file("b.tmp", b"two", id="b")))
    summary = await backup.run(exclude=("*.tmp",))
    expected, actual = Cost.from_dict(summary["estimate"]), Cost.from_dict(summary["cost"])
    assert (expected.files, expected.bytes) == (actual.files, actual.bytes) == (1, 3)
    assert expected.units == actual.units
    assert actual.writes >= expected.writes == 1
    assert summary["selection"] == {"include": [], "exclude": ["*.tmp"]}
