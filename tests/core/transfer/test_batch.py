"""A batch: bounded, stoppable, and resumed from what is stored."""

import asyncio
from functools import partial

import pytest

from include.drive_backup.errors import (
    ContainerMissingError,
    CorruptStoreError,
    CredentialsError,
    ItemLaterError,
    ItemUnavailableError,
    RateLimitError,
    ServiceUnavailableError,
    StoppedError,
    TransientError,
)
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing import list_source
from include.drive_backup.planning.plan import plan_source
from include.drive_backup.transfer.batch import copy_batch
from include.drive_backup.transfer.upload import BLOCK_SIZE
from include.drive_backup.work import batch_prefix, read_results, results_prefix
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, short
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, native

TASK = SourceTask(source="user/ann@example.com", instant="20260301T000000.000Z", run="r1")


def files(count):
    return [file(f"{n}.txt", b"content of %d" % n, id=f"f{n}") for n in range(count)]


async def planned(drive, store, **settings):
    """The one batch of a drive, and a function that copies it."""
    clock = FakeClock()
    task = SourceTask.from_dict(TASK.to_dict() | settings)
    listing = await list_source(drive, store, task, clock)
    _, (batch,) = await plan_source(store, listing, export_formats={}, max_batches=1, clock=clock)
    run = partial(
        copy_batch, drive, store, batch, clock=clock, in_flight=4, memory_bytes=64 * 1024**2, stop=asyncio.Event()
    )
    return batch, run


def contents(store):
    return sorted(data for name, (data, _) in store.blobs.items() if name.startswith("content/"))


async def results_of(store, batch):
    return await read_results(store, results_prefix(batch.plan, batch.number))


async def test_all_files_of_a_batch_are_copied_and_recorded():
    drive, store = FakeDrive(*files(20), native("Plan", content=b"docx", id="plan")), MemoryBlobStore()
    batch, run = await planned(drive, store)
    seen = []
    summary = await run(resume=False, progress=seen.append)
    assert contents(store) == sorted(drive.contents.values())
    assert {key: summary[key] for key in ("files", "copied", "stored", "unavailable", "failed")} == {
        "files": 21, "copied": 21, "stored": 0, "unavailable": 0, "failed": 0,
    }  # fmt: skip
    assert summary["bytes"] == summary["downloaded"] == sum(len(each) for each in drive.contents.values())
    assert summary["use"]["calls"] == drive.use.calls
    assert len(await results_of(store, batch)) == len(seen) == 21


async def test_the_largest_file_comes_first():
    drive, store = FakeDrive(*(file(f"{n}", bytes(n), id=f"f{n}") for n in range(1, 9))), MemoryBlobStore()
    _, run = await planned(drive, store)
    await run(resume=False, in_flight=1)
    assert list(drive.reads) == [f"f{n}" for n in range(8, 0, -1)]


async def test_no_more_files_at_once_than_allowed():
    drive, store = FakeDrive(*files(30), piece=1), MemoryBlobStore()
    _, run = await planned(drive, store)
    await run(resume=False, in_flight=5)
    assert drive.most_reading == 5


async def test_memory_limits_how_many_large_files_are_in_flight_and_one_always_fits():
    large = [file(f"{n}", bytes([n]) * (BLOCK_SIZE + n), id=f"f{n}") for n in range(4)]
    drive, store = FakeDrive(*large, piece=2**20), MemoryBlobStore()
    _, run = await planned(drive, store)
    await run(resume=False, in_flight=16, memory_bytes=4 * BLOCK_SIZE)
    assert drive.most_reading == 2
    assert contents(store) == sorted(drive.contents.values())
    drive, store = FakeDrive(*large, piece=2**20), MemoryBlobStore()
    _, run = await planned(drive, store)
    await run(resume=False, in_flight=16, memory_bytes=1)
    assert drive.most_reading == 1
    assert len(contents(store)) == 4


async def test_one_bad_file_does_not_keep_the_others_from_being_saved():
    drive, store = FakeDrive(*files(10)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    drive.bodies["f3"] = [short] * 99
    drive.errors["f5"] = [ItemUnavailableError("No right.", reason="cannotDownloadFile")]
    drive.errors["f7"] = [ValueError("a bug")]
    drive.errors["f9"] = [ItemLaterError("Too many people.", reason="downloadQuotaExceeded")]
    with pytest.raises(TransientError, match=r"3 of 10 files") as caught:
        await run(resume=False)
    assert type(caught.value) is TransientError
    outcomes = {key[0]: (result.outcome, result.reason) for key, result in (await results_of(store, batch)).items()}
    assert outcomes.pop("f3") == ("failed", "checksumMismatch")
    assert outcomes.pop("f5") == ("unavailable", "cannotDownloadFile")
    assert outcomes.pop("f7") == ("failed", "unexpected")
    assert outcomes.pop("f9") == ("failed", "downloadQuotaExceeded")
    assert set(outcomes.values()) == {("copied", None)}
    assert len(contents(store)) == 6


async def test_the_next_try_copies_only_what_is_missing():
    drive, store = FakeDrive(*files(10)), MemoryBlobStore()
    _, run = await planned(drive, store)
    drive.errors["f5"] = [ItemUnavailableError("No right.", reason="cannotDownloadFile")]
    drive.errors["f3"] = [RateLimitError("Slow down.")]
    with pytest.raises(TransientError):
        await run(resume=False)
    drive.reads.clear()
    summary = await run(resume=True)
    assert drive.reads == {"f3": 1}
    assert (summary["copied"], summary["stored"], summary["unavailable"]) == (1, 8, 1)
    assert summary["downloaded"] == len(drive.contents["f3"])


async def test_a_batch_that_is_run_again_after_it_finished_asks_again_for_what_was_refused():
    drive, store = FakeDrive(*files(3)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    drive.errors["f1"] = [ItemUnavailableError("No right.", reason="cannotDownloadFile")]
    await run(resume=False)
    drive.reads.clear()
    summary = await run(resume=True)
    assert drive.reads == {"f1": 1}
    assert (summary["copied"], summary["stored"]) == (1, 2)
    assert {result.outcome for result in (await results_of(store, batch)).values()} == {"copied"}


async def test_what_was_recorded_but_is_gone_or_damaged_is_copied_again():
    drive, store = FakeDrive(*files(3)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    await run(resume=False)
    victim = (await results_of(store, batch))["f1", "original"].content.blob
    del store.blobs[victim]
    drive.reads.clear()
    await run(resume=True)
    assert drive.reads == {"f1": 1}
    assert contents(store) == sorted(drive.contents.values())


async def test_what_was_stored_but_not_recorded_is_not_downloaded_again():
    drive, store = FakeDrive(*files(3)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    await run(resume=False)
    for name in [name for name in store.blobs if "/results/" in name or "/done/" in name]:
        del store.blobs[name]
    drive.reads.clear()
    summary = await run(resume=True)
    assert not drive.reads
    assert summary["stored"] == 3
    assert len(await results_of(store, batch)) == 3


async def test_a_stopped_batch_has_recorded_what_it_finished():
    drive, store = FakeDrive(*files(20)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    stop = asyncio.Event()
    seen = []

    def progress(result):
        seen.append(result)
        if len(seen) == 7:
            stop.set()

    with pytest.raises(StoppedError):
        await run(resume=False, stop=stop, progress=progress)
    recorded = await results_of(store, batch)
    assert 7 <= len(recorded) < 20
    assert len(recorded) == len(contents(store))
    await run(resume=True)
    assert contents(store) == sorted(drive.contents.values())
    assert all(count == 1 for ident, count in drive.reads.items() if (ident, "original") in recorded)


@pytest.mark.parametrize(
    "error",
    [CredentialsError("Refused."), ContainerMissingError("No container.")],
)
async def test_trouble_that_concerns_all_files_stops_the_batch_at_once(error):
    drive, store = FakeDrive(*files(50)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    drive.errors["f30"] = [error]
    with pytest.raises(type(error)):
        await run(resume=False)
    assert sum(drive.reads.values()) < 30
    assert len(await results_of(store, batch)) == len(contents(store)) > 0


async def test_while_drive_is_down_the_batch_does_not_ask_for_each_file():
    drive, store = FakeDrive(*files(500)), MemoryBlobStore()
    _, run = await planned(drive, store)
    down = ServiceUnavailableError("Drive is down.", service="drive")
    for ident in drive.items:
        drive.errors[ident] = [down] * 9

    async def get_item(item_id, resource_key=None):
        raise down

    drive.get_item = get_item
    with pytest.raises(ServiceUnavailableError):
        await run(resume=False)
    assert sum(drive.reads.values()) < 40


async def test_many_files_that_drive_has_trouble_with_do_not_stop_the_others():
    drive, store = FakeDrive(*files(100)), MemoryBlobStore()
    _, run = await planned(drive, store)
    for number in range(60):
        drive.errors[f"f{number}"] = [ServiceUnavailableError("Login page.", service="drive", reason="loginPage")] * 9
    with pytest.raises(TransientError, match="60 of 100"):
        await run(resume=False)
    assert len(contents(store)) == 40


async def test_a_batch_of_which_a_part_is_gone_is_never_called_finished():
    drive, store = FakeDrive(*files(3)), MemoryBlobStore()
    batch, run = await planned(drive, store)
    for name in [name for name in store.blobs if name.startswith(batch_prefix(batch.plan, batch.number))]:
        del store.blobs[name]
    with pytest.raises(CorruptStoreError):
        await run(resume=False)
