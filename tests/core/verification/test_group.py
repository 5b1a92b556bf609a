"""Many sources checked by many tasks, which leave each other what they found in the work area."""

import pytest

from include.drive_backup.verification.batches import BatchWriter, contents_of
from include.drive_backup.verification.group import check_group, keep, read_batch, tell
from include.drive_backup.verification.model import Reference
from include.drive_backup.verification.readable import headline, summary
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file

SOURCES = ("user/ann@example.com", "user/bob@example.com")


@pytest.fixture
async def backup():
    made = Backup(FakeDrive(*(file(f"{n}.txt", f"{n}".encode(), id=f"n{n}") for n in range(12))))
    for source in SOURCES:
        await made.run("2026-03-01", source=source)
    return made


async def verify(store, run, *, now="2026-03-02", fails=(), at_="all", depth="all", sources=SOURCES):
    """As the DAG does it; ``fails`` are sources of which a reading task dies."""
    settings = {"depth": depth, "period": 28, "now": at(now), "batch_bytes": 1_000_000, "max_batches": 3}
    checked = await check_group(store, sources, run=run, at=at_, **settings)
    read = [await read_batch(store, each, run=run) for each in checked.batches if each.source not in fails]
    damages = await tell(store, [each.found for each in (checked, *read)])
    await keep(store, damages, [checked], whole=not fails)
    return checked, read, damages


async def test_all_contents_of_all_sources_are_read_once(backup):
    checked, read, damages = await verify(backup.store, "run-1")
    assert damages == []
    assert (checked.sources, checked.snapshots, checked.blobs) == (2, 2, 24)
    assert len(checked.batches) == 6
    assert sum(each.read.blobs for each in read) == 24
    assert summary([checked], read).startswith("2 sources, 2 snapshots with 24 contents (28 B) checked; 24 contents")


async def test_damage_of_all_levels_is_told_by_source(backup):
    lost, spoilt = (next(name for name in backup.contents() if f"{who}@" in name) for who in ("ann", "bob"))
    del backup.store.blobs[lost]
    backup.store.blobs[spoilt] = (b"?", backup.store.blobs[spoilt][1])
    _, _, damages = await verify(backup.store, "run-1")
    assert [(damage.source, damage.wrong) for damage in damages] == [(SOURCES[0], "missing"), (SOURCES[1], "bytes")]
    assert headline(damages).startswith("2 stored objects of the backup are damaged.")
    for source in SOURCES:
        backup.clock.set(at("2026-03-03T00:10"))
        await backup.run("2026-03-03", source=source)
    _, _, damages = await verify(backup.store, "run-2")
    assert [(damage.source, damage.alarming, damage.saved) for damage in damages] == [(SOURCES[1], False, True)]


async def test_a_report_that_is_cleared_fails_again(backup):
    """What this run recorded itself is not known of before, or a cleared task would turn green."""
    del backup.store.blobs[backup.contents()[0]]
    checked, read, damages = await verify(backup.store, "run-1")
    assert all(damage.alarming for damage in damages)
    again = await tell(backup.store, [each.found for each in (checked, *read)])
    assert [damage.known for damage in again] == [False]


async def test_a_share_that_was_not_read_is_read_by_the_next_run(backup):
    await verify(backup.store, "run-1", depth="sample", now="2026-03-01")
    for day, fails in ((20, SOURCES[:1]), (28, ())):
        checked, _, _ = await verify(backup.store, "run-2", depth="sample", now=f"2026-03-{day}", fails=fails)
    assert len(checked.samples[SOURCES[0]].buckets) == 27
    # Some snapshots are not all: nobody may say that the share was read.
    await verify(backup.store, "run-3", depth="sample", now="2026-03-29", at_="latest")
    checked, _, _ = await verify(backup.store, "run-4", depth="sample", now="2026-03-29")
    assert len(checked.samples[SOURCES[0]].buckets) == 1


async def test_a_source_without_snapshots_has_nothing_to_be_checked(backup):
    checked, _, damages = await verify(backup.store, "run-1", sources=("user/carol@example.com",))
    assert (checked.sources, damages) == (0, [])


async def test_batches_are_about_equal_and_lose_nothing():
    store = MemoryBlobStore()
    writer = BatchWriter(store, SOURCES[0], "work/x/", batch_bytes=50_000_000, max_batches=4)
    sizes = [number * 7_919_000 % 20_000_000 for number in range(100)]
    for number, size in enumerate(sizes):
        await writer.add(
            Reference(blob=f"b{number}", format="original", size=size, md5="", sha256="", item_id="i", path="p")
        )
    batches = await writer.close()
    read = [row.blob for batch in batches async for row in contents_of(store, batch)]
    assert sorted(read) == sorted(f"b{number}" for number in range(100))
    assert sum(batch.bytes for batch in batches) == sum(sizes)
    assert len(batches) == 4
    assert max(batch.bytes for batch in batches) < 1.5 * min(batch.bytes for batch in batches)
