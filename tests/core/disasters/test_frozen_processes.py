"""SIGSTOP and SIGCONT on real processes, with a real container between them."""

import asyncio
import json
import signal
import sys
import uuid
from contextlib import asynccontextmanager

import pytest

from include.drive_backup.clock import SystemClock
from include.drive_backup.locking import holding
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.frozen import ANN, LIFETIME, LOST, POLICY, ShortLock
from tests.support.real_world import open_store
from tests.support.trees import file

pytestmark = pytest.mark.integration
FILES = 150
#: Seconds that a process may take to start, or to end: on a busy machine imports alone can take a minute.
START = 300


def first(number):
    return f"first content of {number}".encode() * 5


@pytest.fixture
async def backup(azurite):
    """Two days of backups. On the second nothing is as on the first, and then all is as on the first again."""
    async with open_store(azurite, f"c{uuid.uuid4().hex}", 30.0) as store:
        await store.ensure_container(create=True)
        drive = FakeDrive(*(file(f"{n}.txt", first(n), id=f"id{n}") for n in range(FILES)))
        made = Backup(drive, store)
        was = {ident: item["modifiedTime"] for ident, item in drive.items.items() if ident.startswith("id")}
        await made.run("2026-03-01")
        for n in range(FILES):
            drive.write(f"id{n}", f"second content of {n}".encode() * 5, "2026-03-01T12:00:00.000Z")
        made.clock.set(at("2026-03-02T00:10"))
        await made.run("2026-03-02")
        for n in range(FILES):
            drive.write(f"id{n}", first(n), was[f"id{n}"])
        made.clock.set(at("2026-03-03T00:10"))
        yield made


@asynccontextmanager
async def frozen(backup, azurite, what, *arguments):
    """A process that has stopped itself; it goes on after the block, to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.frozen", "--what", what, "--blob", azurite),
        *("--container", backup.store.container, *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await asyncio.wait_for(process.stdout.readline(), START) == b"frozen\n"
        await asyncio.sleep(LIFETIME.total_seconds() + 1)
        yield
        process.send_signal(signal.SIGCONT)
        said, _ = await asyncio.wait_for(process.communicate(), START)
        assert process.returncode == LOST, said
        assert b"was lost" in said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def whole(backup):
    names = await choose(backup.store, ANN)
    verified = await verify_source(backup.store, names, "all", now=SystemClock().now(), keep_records=False)
    assert verified.damages == ()
    for name in names:
        assert len(await backup.restored({"manifest": name.manifest})) == FILES


async def test_frozen_in_the_middle_of_its_deletes_retention_takes_nothing_from_a_later_snapshot(backup, azurite):
    async with frozen(backup, azurite, "retention"):
        lock = ShortLock(backup.store, ANN, "backup/1")
        async with holding(lock, SystemClock(), give_back=True):
            plan, batches = await backup.plan("2026-03-03")
            for batch in batches:
                await backup.copy(batch)
            summary = await commit_snapshot(backup.store, plan, backup.clock, "test", lock)
        assert (summary["status"], summary["created"]) == ("complete", True)
        # It points at what retention was about to delete.
        assert summary["counts"].get("copied", 0) < FILES / 2
    await whole(backup)
    assert await backup.restored(summary) == {f"id{n}": first(n) for n in range(FILES)}


async def test_frozen_right_before_its_manifest_a_run_does_not_commit_what_retention_deleted(backup, azurite, tmp_path):
    plan, batches = await backup.plan("2026-03-03")
    for batch in batches:
        await backup.copy(batch)
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_dict()))
    async with frozen(backup, azurite, "commit", "--plan", str(tmp_path / "plan.json")):
        retention = ShortLock(backup.store, ANN, "retention/1")
        agreed = await plan_source(backup.store, ANN, POLICY)
        done = await apply_source(backup.store, agreed, POLICY, retention, SystemClock(), approved=True)
        assert done.content.blobs > FILES / 2
        # A later try of the same run has the lock when the frozen one wakes up.
        await ShortLock(backup.store, ANN, "backup/1").take()
    assert len(await SnapshotRepository(backup.store).names(ANN)) == 1
    await whole(backup)
