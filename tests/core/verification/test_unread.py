"""What cannot be read is said and counted, ends no verification and no drill, and is never called good or damaged."""

import pytest

from include.drive_backup.damage import load_damaged
from include.drive_backup.errors import (
    BrokenBodyError,
    CredentialsError,
    PermanentError,
    ServiceUnavailableError,
)
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.repair.run import look
from include.drive_backup.verification.drill import drill
from include.drive_backup.verification.group import check_group, keep, read_batch
from include.drive_backup.verification.readable import not_checked, summary
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_repair import MemoryRepairStore
from tests.support.trees import file

ANN = Source.parse("user/ann@example.com")
REFUSALS = {
    "refused": CredentialsError("HTTP 403 AuthorizationPermissionMismatch."),
    "of another key": PermanentError("HTTP 409 BlobUsesCustomerSpecifiedEncryption."),
    "no network": ServiceUnavailableError("No connection.", service="blob"),
    "broken": BrokenBodyError("The bytes did not arrive."),
}
refusals = pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)


async def made(files=3, **settings):
    store = MemoryRepairStore(**settings)
    drive = FakeDrive(*(file(f"{n}.txt", f"file {n}".encode(), id=f"n{n}") for n in range(files)))
    backup = Backup(drive, store)
    await backup.run("2026-03-01")
    return backup


def refuse(store, refusal, part="/0.txt/"):
    def strike(phase, operation, name):
        if (phase, operation) == ("before", "stream") and part in name:
            raise refusal

    store.fault = strike


async def verified(store, depth="all", **settings):
    return await verify_source(store, await choose(store, ANN), depth, now=at("2026-03-02"), **settings)


@refusals
async def test_the_others_are_read_and_the_damage_of_others_is_found(refusal):
    backup = await made(versions=True)
    [spoilt] = [name for name in backup.contents() if "/1.txt/" in name]
    backup.store.blobs[spoilt] = (b"other!", backup.store.blobs[spoilt][1])
    refuse(backup.store, refusal)
    done = await verified(backup.store)
    assert [(damage.path, damage.wrong) for damage in done.damages] == [("/1.txt", "bytes")]
    assert (done.read.blobs, done.read.unread) == (2, 1)
    assert done.read.why_unread == (f"/0.txt (n0) could not be read: {refusal}",)
    assert not (await load_damaged(backup.store, ANN)).suspects(next(n for n in backup.contents() if "/0.txt/" in n))


async def test_its_share_counts_as_not_read_yet():
    backup = await made()
    refuse(backup.store, REFUSALS["refused"], "content/")
    await verified(backup.store, "sample", period=1)
    assert not [name for name in backup.store.blobs if name.startswith("verified/")]
    backup.store.fault = None
    await verified(backup.store, "sample", period=1)
    assert [name for name in backup.store.blobs if name.startswith("verified/")]


async def test_when_one_after_the_other_cannot_be_read_it_ends():
    """A credential that has ended, or a network that is gone, is not asked a million times."""
    backup = await made(40)
    refuse(backup.store, REFUSALS["refused"], "content/")
    before = backup.store.calls["stream"]
    with pytest.raises(CredentialsError):
        await verified(backup.store)
    assert backup.store.calls["stream"] - before < 40


async def test_several_tasks_tell_it_and_mark_the_other_sources_as_read():
    backup = await made()
    await backup.run("2026-03-01", source="user/bob@example.com")
    refuse(backup.store, REFUSALS["refused"], "ann@example.com/0.txt/")
    sources = ("user/ann@example.com", "user/bob@example.com")
    how = {"run": "1", "at": "all", "depth": "sample", "period": 1, "batch_bytes": 1_000_000, "max_batches": 3}
    checked = await check_group(backup.store, sources, now=at("2026-03-02"), **how)
    read = [await read_batch(backup.store, each, run="1") for each in checked.batches]
    await keep(backup.store, (), [checked], whole=True, read=read)
    assert "1 could not be read" in summary([checked], read)
    said = not_checked([checked], read, named=False)
    assert "user/ann@example.com: /0.txt (n0) could not be read: HTTP 403" in said
    marked = [name for name in backup.store.blobs if name.startswith("verified/")]
    assert [name.split("/")[2] for name in marked] == ["bob@example.com"]


async def test_a_repair_that_reads_all_does_not_call_it_whole():
    backup = await made(versions=True)
    refuse(backup.store, REFUSALS["refused"])
    found = await look(backup.store, ANN, FakeClock(at("2026-03-02")), depth="all")
    assert (found.remedies, len(found.unread)) == ((), 1)


@refusals
async def test_a_drill_goes_on_and_says_what_it_could_not_read(refusal, tmp_path):
    backup = await made()
    refuse(backup.store, refusal)
    manifest = await SnapshotRepository(backup.store).find(ANN)
    limits = {"most_bytes": 1_000, "most_files": 100}
    done = await drill(backup.store, manifest, tmp_path, drive=None, seed="monday", **limits)
    assert done.counts == {"restored": 2, "failed": 1}
    assert done.problems == (f"/0.txt (n0): {refusal}",)
