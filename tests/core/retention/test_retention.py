"""Plans that a person can read, and deletions that may be broken off anywhere."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from include.drive_backup.errors import (
    ApprovalNeededError,
    ConfigError,
    SnapshotNotFoundError,
    SourceBusyError,
    StoppedError,
)
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.ports import BlobInfo
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.brake import brakes
from include.drive_backup.retention.holds import hold, read_holds, release
from include.drive_backup.retention.leftovers import clean_shared, clean_source
from include.drive_backup.retention.plan import read_manifests
from include.drive_backup.retention.readable import applied_text, plan_text
from include.drive_backup.retention.rules import Keep, Policy
from tests.core.retention.house import ANN, FILES, House
from tests.support.memory_blob import MemoryBlobStore

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
async def house():
    """Ten days of backups: each day one file has changed."""
    made = House()
    await made.back_up()
    for day in range(1, 10):
        made.tomorrow()
        await made.back_up(day % FILES)
    made.tomorrow(20)
    return made


async def test_the_plan_names_each_snapshot_and_its_reasons(house):
    await hold(house.store, (await SnapshotRepository(house.store).names(ANN))[2], "case-7")
    plan = await house.plan(Policy(keep=Keep(daily=3, weekly=2), brake_percent=5))
    text = plan_text([plan])
    # How large Parquet files are is the library's business.
    golden = re.sub(r"catalogues: (\d+) blobs, [\d.]+ kB", r"catalogues: \1 blobs, * kB", text)
    assert golden + "\n" == (GOLDEN / "plan.txt").read_text()
    assert plan_text([type(plan).from_dict(plan.to_dict())]) == text


async def test_a_plan_deletes_nothing_and_application_deletes_just_what_it_says(house):
    before = dict(house.store.blobs)
    plan = await house.plan()
    assert house.store.blobs == before
    assert len(plan.goes) == 9
    # Of nine files a second version, the first ones are in no snapshot but the older ones.
    assert plan.unused.blobs == 9
    done = await house.apply(plan=plan, approved=True)
    assert (len(done.forgotten), done.content, done.refused) == (9, plan.unused, ())
    assert await house.check() == 1
    assert len(house.backup.contents()) == FILES
    again = await house.plan()
    assert again.empty
    assert not again.brakes
    assert "9 snapshots deleted" in applied_text([done])


async def test_content_stays_for_the_grace_time_though_nothing_refers_to_it(house):
    for n in range(3):
        await house.store.put(f"content/user/ann@example.com/new/{n}", b"of a run that has not committed yet")
    house.tomorrow(7 - 0.01)
    await house.apply(approved=True)
    assert f"content/user/ann@example.com/new/{n}" in house.store.blobs
    house.tomorrow(0.02)
    assert (await house.apply()).content.blobs == 3


async def test_another_sources_content_is_not_touched(house):
    await house.back_up(source="user/bob@example.com")
    bobs = {name for name in house.store.blobs if "bob" in name}
    await house.apply(approved=True)
    assert bobs <= set(house.store.blobs)


async def test_a_damaged_manifest_or_catalogue_keeps_all_content(house):
    names = await SnapshotRepository(house.store).names(ANN)
    data, info = house.store.blobs[names[-1].part(0)]
    house.store.blobs[names[-1].part(0)] = (data[:-1] + b"x", info)
    plan = await house.plan()
    assert (plan.unused, len(plan.goes)) == (Amount(), 8)
    assert "is not what was written" in plan.blocked or "Content-MD5" in plan.blocked
    before = house.backup.contents()
    done = await house.apply(approved=True)
    assert house.backup.contents() == before
    assert "NO CONTENT DELETED" in applied_text([done])


async def test_a_manifest_that_cannot_be_read_is_kept_and_so_is_all_content(house):
    names = await SnapshotRepository(house.store).names(ANN)
    await house.store.delete([names[0].manifest])
    await house.store.put(names[0].manifest, b"no json")
    before = house.backup.contents()
    plan = await house.plan()
    assert plan.damaged == (names[0].key,)
    await house.apply(approved=True)
    assert names[0].manifest in house.store.blobs
    assert names[0].part(0) in house.store.blobs
    assert house.backup.contents() == before


async def test_what_blob_storage_will_not_delete_is_reported_and_the_rest_goes_on(house):
    names = await SnapshotRepository(house.store).names(ANN)
    oldest = names[0]
    used = {content["blob"] for row in (await house.backup.rows({"manifest": oldest.manifest})).values()
            for content in row["contents"] or ()}  # fmt: skip
    house.store.immutable = {oldest.manifest}
    done = await house.apply(approved=True)
    assert len(done.forgotten) == 8
    assert "kept by Blob Storage: 1 blob, An immutability policy" in applied_text([done])
    # It still is a snapshot, so what it refers to stays.
    assert used <= set(house.store.blobs)
    assert await house.check() == 2


async def test_a_hold_keeps_a_snapshot_until_it_is_released(house):
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    assert await hold(house.store, name, "case/7 é")
    assert not await hold(house.store, name, "case/7 é")
    assert await read_holds(house.store, ANN) == {name.key: ("case/7 é",)}
    await house.apply(approved=True)
    assert await house.check() == 2
    assert await release(house.store, name, "case/7 é")
    assert not await release(house.store, name, "case/7 é")
    await house.apply(approved=True)
    assert await house.check() == 1
    with pytest.raises(SnapshotNotFoundError):
        await hold(house.store, name, "too late")
    assert await read_holds(house.store, ANN) == {}
    for tag in ("", " x", "x" * 65, "a\nb"):
        with pytest.raises(ConfigError):
            await hold(house.store, name, tag)


async def test_a_hold_that_comes_after_the_plan_counts(house):
    plan = await house.plan()
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    await hold(house.store, name, "late")
    done = await house.apply(plan=plan, approved=True)
    assert name.key not in done.forgotten


async def test_no_other_snapshot_goes_than_was_agreed_on(house):
    plan = await house.plan()
    house.tomorrow()
    await house.back_up(11)
    done = await house.apply(plan=plan, approved=True)
    assert set(done.forgotten) == set(plan.goes)
    assert await house.check() == 2


async def test_much_at_once_stops_and_asks(house):
    plan = await house.plan(Policy(keep=Keep(last=1), brake_percent=1))
    assert len(plan.brakes) == 2
    with pytest.raises(ApprovalNeededError, match="more than half"):
        await house.apply(Policy(keep=Keep(last=1), brake_percent=1))
    assert await house.check() == 10
    assert not (await house.plan(Policy(keep=Keep(last=9)))).brakes


async def test_a_drive_that_was_emptied_stops_it(house):
    for n in range(FILES - 2):
        house.drive.delete(f"id{n}")
    await house.back_up()
    with pytest.raises(ApprovalNeededError, match=r"has 3 items, the one before it had 13: was the Drive emptied\?"):
        await house.apply(Policy(keep=Keep(last=8)))
    assert await house.check() == 11


async def test_a_drive_whose_files_have_all_changed_stops_it(house):
    manifests, _ = await read_manifests(house.store, ANN)
    whole, changed = manifests[-2], replace(manifests[-1], base=manifests[-2].name.manifest, counts={"copied": 12})
    assert any("were they encrypted?" in str(reason) for reason in brakes([whole, changed], 0, 0.0, 20))
    assert not any(brakes([whole, replace(changed, counts={"copied": 6, "unchanged": 6})], 0, 0.0, 20))
    assert not any(brakes([whole, replace(changed, base=None)], 0, 0.0, 20))


async def test_it_waits_for_a_run_of_the_source(house):
    await SourceLock(house.store, ANN, "google_drive_backup/run-1").take()
    with pytest.raises(SourceBusyError, match="run-1"):
        await house.apply(approved=True)
    assert await house.check() == 10


async def test_a_run_that_has_lost_its_lock_commits_nothing(house):
    plan, _ = await house.backup.plan("2026-03-30")
    with pytest.raises(SourceBusyError, match="was lost"):
        await commit_snapshot(house.store, plan, house.backup.clock, "test", lock=house.lock())
    assert await house.check() == 10


async def test_what_retention_deleted_under_a_run_makes_its_snapshot_partial_and_the_next_one_whole(house):
    """The run's lock ran out in a gap between its tasks: it planned on content that is gone when it commits."""
    plan, _ = await house.backup.plan("2026-03-30")
    for name in house.backup.contents()[:2]:
        await house.store.delete([name])
    summary = await house.backup.commit(plan)
    assert (summary["status"], summary["counts"]["failed"] > 0) == ("partial", True)
    house.tomorrow()
    assert (await house.back_up())["status"] == "complete"


async def test_it_stops_in_good_order_when_asked_and_gives_the_lock_back(house):
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StoppedError):
        await house.apply(approved=True, stop=stop)
    await house.apply(approved=True)


async def test_a_lock_that_is_lost_stops_it_before_the_next_deletion(house):
    before, lists = house.backup.contents(), []

    def steal(phase, operation, name):
        if (phase, operation) == ("before", "list") and name.startswith("content/"):
            lists.append(name)
            if len(lists) == 2:  # the first one is that of the plan
                thief = f"locks/user/ann@example.com/{99:010d}"
                info = BlobInfo(name=thief, size=0, metadata={"holder": "thief"}, modified=house.backup.clock.now())
                house.store.blobs[thief] = (b"", info)

    plan = await house.plan()
    house.store.fault = steal
    with pytest.raises(SourceBusyError):
        await house.apply(plan=plan, approved=True)
    assert house.backup.contents() == before


async def test_old_work_goes_when_all_of_a_run_is_old():
    store = MemoryBlobStore()
    store.clock = House().backup.clock
    for name in ("work/user/ann@example.com/old/a/1", "work/user/ann@example.com/long/a/1", "work/run/old/x/1",
                 "quota/conn/days/2026-01-01/x", "work/restore/old/1", "outbox/2026.json",
                 "work/user/ann@example.com.au/old/a"):  # fmt: skip
        await store.put(name, b"x")
    store.clock.set(store.clock.now() + timedelta(days=29))
    await store.put("work/user/ann@example.com/long/b/2", b"x")
    store.clock.set(store.clock.now() + timedelta(days=1, seconds=1))
    await store.put("outbox/new.json", b"x")
    assert (await clean_source(store, ANN, 30)).blobs == 1
    assert (await clean_shared(store, 30)).blobs == 3
    assert sorted(store.blobs) == [
        "outbox/2026.json",
        "outbox/new.json",
        "work/user/ann@example.com.au/old/a",
        "work/user/ann@example.com/long/a/1",
        "work/user/ann@example.com/long/b/2",
    ]
