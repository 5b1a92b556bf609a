"""Large files: many ranges at once, the right bytes, bounded memory."""

import asyncio
import random

import pytest

from include.drive_backup.errors import ItemUnavailableError, ServiceUnavailableError, TransientError
from include.drive_backup.transfer import ranges, upload
from include.drive_backup.transfer.ranges import ranges_of
from tests.support.fake_drive import FakeDrive, cut, flipped, short
from tests.support.flow import Backup
from tests.support.trees import file

SIZE = 1000 * 1024 + 17
CONTENT = random.Random(1).randbytes(SIZE)


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch):
    """A KiB for a MiB: the same course with a thousandth of the bytes."""
    monkeypatch.setattr(upload, "MIB", 1024)
    monkeypatch.setattr(ranges, "RANGE", 16 * 1024)
    monkeypatch.setattr(ranges, "BLOCK", 4 * 1024)
    monkeypatch.setattr(ranges, "FROM", 32 * 1024 + 1)
    monkeypatch.setattr(ranges, "_MORE", 0)


def backup(*entries):
    return Backup(FakeDrive(*entries or (file("large.bin", CONTENT, id="large"),), piece=1024))


async def copied(run, **settings):
    plan, (batch,) = await run.plan()
    tries = 0
    while True:
        try:
            await run.copy(batch, resume=tries > 0, **settings)
            break
        except TransientError:
            tries += 1
            assert tries < 20
    return await run.commit(plan)


async def test_a_large_file_comes_in_many_ranges_at_once_and_is_whole():
    run = backup()
    summary = await copied(run)
    assert await run.restored(summary) == {"large": CONTENT}
    assert sorted(run.drive.spans) == [(at, min(at + 16 * 1024, SIZE)) for at in range(0, SIZE, 16 * 1024)]
    assert len(run.drive.spans) == ranges_of(SIZE) == 63
    assert run.drive.most_reading > 10


@pytest.mark.parametrize("bound", [1, 4, 20, 40, 160])
async def test_memory_bounds_how_far_ranges_run_ahead(bound, monkeypatch):
    held = most = 0
    place = upload.Upload.place

    async def watched(self, index, block):
        nonlocal held, most
        held += len(block)
        most = max(most, held)
        await place(self, index, block)
        held -= len(block)

    monkeypatch.setattr(upload.Upload, "place", watched)
    run = backup()
    summary = await copied(run, memory_bytes=bound * 1024)
    assert most <= max(4, bound) * 1024
    assert run.drive.most_reading <= 2 + bound // 16
    assert run.drive.most_reading > 1 or bound < 20
    assert await run.restored(summary) == {"large": CONTENT}


async def test_many_large_files_share_and_small_ones_fly_beside_them():
    large = {f"l{n}": random.Random(n).randbytes(200 * 1024 + n) for n in range(6)}
    small = {f"s{n}": random.Random(n).randbytes(100 + n) for n in range(50)}
    run = backup(*(file(ident, content, id=ident) for ident, content in (large | small).items()))
    summary = await copied(run, in_flight=16, memory_bytes=160 * 1024)
    assert await run.restored(summary) == large | small
    assert list(run.drive.reads).index("s49") < list(run.drive.reads).index("l0")


@pytest.mark.parametrize("damage", [cut, short, lambda content: b""])
async def test_a_range_that_breaks_is_read_again_and_not_the_file(damage):
    run = backup()
    run.drive.bodies["large"] = [damage] * 5
    summary = await copied(run)
    assert run.drive.reads["large"] == ranges_of(SIZE) + 5
    assert await run.restored(summary) == {"large": CONTENT}


@pytest.mark.parametrize("got", [1, 3000, 4096, 9000, 16 * 1024 - 1])
async def test_a_range_goes_on_where_it_broke(got):
    run = backup()
    run.drive.bodies["large"] = [lambda content: content[:got]] * 5
    summary = await copied(run)
    resumed = [end - start for start, end in run.drive.spans if start % (16 * 1024)]
    assert resumed == [16 * 1024 - got] * 5
    assert await run.restored(summary) == {"large": CONTENT}


async def test_a_range_may_break_as_often_as_it_gets_further():
    run = backup()
    run.drive.bodies["large"] = [lambda content: content[: 5 * 1024]] * 200
    assert await run.restored(await copied(run)) == {"large": CONTENT}
    assert not [wait for wait in run.clock.slept if wait < 10]


async def test_more_than_was_asked_for_is_not_taken():
    run = backup()
    run.drive.bodies["large"] = [lambda content: content + b"x"] * 5
    assert await run.restored(await copied(run)) == {"large": CONTENT}
    assert run.drive.reads["large"] == ranges_of(SIZE)


async def test_a_wrong_bit_in_a_range_is_noticed_and_the_file_is_read_again():
    run = backup()
    run.drive.bodies["large"] = [flipped]
    summary = await copied(run)
    assert run.drive.reads["large"] == 2 * ranges_of(SIZE)
    assert await run.restored(summary) == {"large": CONTENT}


@pytest.mark.parametrize("length", [SIZE, SIZE - 5, SIZE + 5, 40 * 1024, 10])
@pytest.mark.parametrize("after", [1, 10, 60])
async def test_ranges_of_two_versions_are_never_mixed(length, after):
    run, other = backup(), random.Random(2).randbytes(length)

    def write(ident):
        if run.drive.reads[ident] == after:
            run.drive.write(ident, other, "2026-03-01T00:05:00.000Z")

    run.drive.before_read = write
    summary = await copied(run)
    assert await run.restored(summary) == {"large": other}
    assert len(run.contents()) == 1


async def test_a_file_that_vanishes_between_two_ranges_is_unavailable():
    run = backup()
    run.drive.before_read = lambda ident: run.drive.reads[ident] == 7 and run.drive.delete(ident)
    summary = await copied(run)
    row = (await run.rows(summary))["large"]
    assert (row["outcome"], row["reason"]) == ("unavailable", "notFound")
    assert run.contents() == []


async def test_what_gives_no_ranges_gives_the_whole():
    run = backup()
    run.drive.ranges_ignored = True
    summary = await copied(run)
    assert await run.restored(summary) == {"large": CONTENT}
    assert run.drive.spans == []


async def test_without_a_checksum_it_is_one_stream():
    run = backup()
    for key in ("md5Checksum", "sha1Checksum", "sha256Checksum"):
        run.drive.items["large"].pop(key, None)
    summary = await copied(run)
    assert (run.drive.reads["large"], run.drive.spans) == (1, [])
    assert await run.restored(summary) == {"large": CONTENT}


@pytest.mark.parametrize("where", ["drive", "blob"])
async def test_trouble_with_one_range_leaves_nothing_behind(where):
    run = backup()
    if where == "drive":
        run.drive.errors["large"] = [ItemUnavailableError("No.", reason="cannotDownloadFile")]
        summary = await copied(run)
        assert (await run.rows(summary))["large"]["contents"] in (None, [])
    else:
        down = iter([True])

        def fault(phase, operation, name):
            if operation == "stage" and phase == "before" and next(down, False):
                raise ServiceUnavailableError("Blob is down.", service="blob")

        run.store.fault = fault
        assert await run.restored(await copied(run)) == {"large": CONTENT}
    assert run.drive.now_reading == 0
    assert len(asyncio.all_tasks()) == 1
