"""A worker dies at any moment. The next one copies what is missing, and only that."""

import asyncio
import contextlib
import functools
import random

import pytest

from include.drive_backup.errors import ServiceUnavailableError
from include.drive_backup.transfer.upload import BLOCK_SIZE
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, native


class Killed(BaseException):
    """SIGKILL: nothing gets a chance to clean up or to record."""


@functools.cache
def contents():
    small = {f"f{n}": random.Random(n).randbytes(1000 + n) for n in range(40)}
    return small | {"large": random.Random(0).randbytes(2 * BLOCK_SIZE + 17)}


def drive():
    entries = [file(f"{ident}.bin", content, id=ident) for ident, content in contents().items()]
    return FakeDrive(*entries, native("doc", id="doc", content=b"doc"), piece=2**18)


def stored_files(backup):
    return {info.metadata["file_id"] for name, (_, info) in backup.store.blobs.items() if name.startswith("content/")}


@pytest.mark.parametrize("seed", range(12))
async def test_cancelled_at_a_random_moment(seed):
    backup = Backup(drive())
    plan, (batch,) = await backup.plan()
    dice = random.Random(seed)
    for attempt in range(4):
        task = asyncio.create_task(backup.copy(batch, resume=attempt > 0))
        for _ in range(dice.randrange(1, 200)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await check_resume(backup, plan, batch)


@pytest.mark.parametrize("operations", [1, 5, 17, 40, 46])
@pytest.mark.parametrize("phase", ["before", "after"])
async def test_killed_around_a_write_without_recording_anything(operations, phase):
    """After the nth write nothing works any more, as if the process were gone: also no record is written."""
    backup = Backup(drive())
    plan, (batch,) = await backup.plan()
    left = operations

    def kill(at, operation, name):
        nonlocal left
        if at == phase and operation in ("put", "stage", "commit"):
            left -= 1
            if left < 0:
                raise Killed

    backup.store.fault = kill
    with contextlib.suppress(Killed, BaseExceptionGroup):
        await backup.copy(batch)
    backup.store.fault = None
    await check_resume(backup, plan, batch)


async def check_resume(backup, plan, batch):
    before = stored_files(backup)
    backup.drive.reads.clear()
    summary = await backup.copy(batch, resume=True)
    assert set(backup.drive.reads) == {*contents(), "doc"} - before
    assert summary["stored"] == len(before)
    committed = await backup.commit(plan)
    assert committed["status"] == "complete"
    assert await backup.restored(committed) == {**contents(), "doc": b"doc"}
    assert len(backup.contents()) == len(contents()) + 1


async def test_a_batch_that_never_ran_makes_the_snapshot_partial():
    backup = Backup(drive())
    plan, _ = await backup.plan()
    summary = await backup.commit(plan)
    assert summary["status"] == "partial"
    assert summary["reasons"]["notCopied"]["count"] == len(contents()) + 1


async def test_blob_is_down_for_a_while():
    backup = Backup(drive())
    plan, (batch,) = await backup.plan()
    writes = 0

    def down(phase, operation, name):
        nonlocal writes
        writes += phase == "before" and operation == "put"
        if writes > 10:
            raise ServiceUnavailableError("Blob is down.", service="blob")

    backup.store.fault = down
    with pytest.raises(ServiceUnavailableError):
        await backup.copy(batch)
    assert sum(backup.drive.reads.values()) < 25
    backup.store.fault = None
    await check_resume(backup, plan, batch)


async def test_an_answer_of_blob_gets_lost_after_the_write():
    backup = Backup(drive())
    plan, (batch,) = await backup.plan()
    lost = set()

    def lose(phase, operation, name):
        if phase == "after" and operation in ("put", "commit") and name.startswith("content/") and name not in lost:
            lost.add(name)
            raise ServiceUnavailableError("The connection broke.", service="blob")

    backup.store.fault = lose
    for attempt in range(100):
        try:
            await backup.copy(batch, resume=attempt > 0)
            break
        except ServiceUnavailableError:
            continue
    backup.store.fault = None
    assert len(lost) == len(contents()) + 1
    committed = await backup.commit(plan)
    assert await backup.restored(committed) == {**contents(), "doc": b"doc"}
