"""From listings to rows and batches."""

import pytest

from include.drive_backup.errors import ConfigError, CorruptStoreError
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing import list_source
from include.drive_backup.model import CopyOrder, PlanRow
from include.drive_backup.planning.plan import plan_source, plan_sources
from include.drive_backup.planning.shards import share_batches
from include.drive_backup.work import batch_prefix, read_parts, rows_prefix
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, folder, native

TASK = SourceTask(source="user/ann@example.com", instant="20260301T000000.000Z", run="r1")
ENTRIES = (
    folder("A", file("x.txt", b"abc", id="x"), native("Plan", id="plan"), id="a"),
    file("y.tmp", b"y", id="y"),
    file("gone", b"gone", id="gone", trashed=True),
    file("late", b"late", id="late", createdTime="2026-03-01T10:00:00.000Z"),
)


async def plan(drive, store, *, formats=None, max_batches=10, **settings):
    task = SourceTask.from_dict(TASK.to_dict() | settings)
    clock = FakeClock(at("2026-03-02"))
    listing = await list_source(drive, store, task, clock)
    return await plan_source(store, listing, export_formats=formats or {}, max_batches=max_batches, clock=clock)


async def rows_of(store, plan_ref):
    rows = read_parts(store, rows_prefix(plan_ref.plan), PlanRow, parts=plan_ref.parts)
    return {row.item.id: row async for row in rows}


async def orders_of(store, batch):
    orders = read_parts(store, batch_prefix(batch.plan, batch.number), CopyOrder, parts=batch.parts)
    return [order async for order in orders]


async def test_each_wanted_item_has_a_row_and_each_copy_is_in_one_batch():
    store = MemoryBlobStore()
    plan_ref, batches = await plan(FakeDrive(*ENTRIES), store, exclude=["*.tmp"])
    rows = await rows_of(store, plan_ref)
    assert {ident: row.path for ident, row in rows.items()} == {"a": "A", "x": "A/x.txt", "plan": "A/Plan"}
    (batch,) = batches
    assert {order.item.id for order in await orders_of(store, batch)} == {"x", "plan"}
    assert (batch.files, batch.bytes, batch.number, batch.of) == (2, 3, 1, 1)
    assert plan_ref.counts == {
        "copy": 2, "metadata": 1, "left_out_trashed": 1, "left_out_filtered": 1, "left_out_created_later": 1,
    }  # fmt: skip
    assert (plan_ref.copy_files, plan_ref.copy_bytes, plan_ref.batches) == (2, 3, 1)


async def test_rows_keep_the_whole_resource():
    store, drive = MemoryBlobStore(), FakeDrive(file("x", b"abc", id="x", description="why"))
    plan_ref, _ = await plan(drive, store)
    assert (await rows_of(store, plan_ref))["x"].item.resource == drive.items["x"]


async def test_orders_keep_names_that_are_no_text():
    store = MemoryBlobStore()
    _, (batch,) = await plan(FakeDrive(file("half \ud83d", b"abc", id="x"), file("whole", b"abcd", id="y")), store)
    assert [order.item.name for order in await orders_of(store, batch)] == ["half \ud83d", "whole"]


async def test_of_an_item_that_was_listed_twice_the_newest_counts():
    class Twice(FakeDrive):
        async def list_items(self, source):
            async for page in super().list_items(source):
                yield page
            stale = dict(self.items["x"], version="1", name="stale")
            self.items["x"] |= {"version": "7", "name": "newest"}
            async for page in super().list_items(source):
                yield page
            self.items["x"] = stale
            async for page in super().list_items(source):
                yield page

    store = MemoryBlobStore()
    plan_ref, batches = await plan(Twice(file("first", b"abc", id="x")), store)
    assert [row.path for row in (await rows_of(store, plan_ref)).values()] == ["newest"]
    assert sum(batch.files for batch in batches) == 1


async def test_a_folder_from_after_the_instant_stays_when_it_holds_something_older():
    store = MemoryBlobStore()
    late = {"createdTime": "2026-03-01T10:00:00.000Z"}
    drive = FakeDrive(folder("New", file("old", b"1", id="old"), id="new", **late), folder("Empty", id="empty", **late))
    plan_ref, _ = await plan(drive, store)
    assert set(await rows_of(store, plan_ref)) == {"new", "old"}


async def test_a_listing_of_which_a_part_is_gone_is_never_taken_for_the_whole():
    store, clock = MemoryBlobStore(), FakeClock()
    listing = await list_source(FakeDrive(*ENTRIES), store, TASK, clock)
    for name in list(store.blobs):
        del store.blobs[name]
    with pytest.raises(CorruptStoreError, match="listing-00000"):
        await plan_source(store, listing, export_formats={}, max_batches=1, clock=clock)


async def test_an_empty_source_is_a_plan_without_batches():
    plan_ref, batches = await plan(FakeDrive(), MemoryBlobStore())
    assert (plan_ref.batches, batches, plan_ref.counts) == (0, [], {})


async def test_a_bad_setting_is_refused_before_anything_is_written():
    store = MemoryBlobStore()
    with pytest.raises(ConfigError, match="spreadsheat"):
        await plan(FakeDrive(*ENTRIES), store, formats={"spreadsheat": ["xlsx"]})
    with pytest.raises(ConfigError, match=r"\[z-a\]"):
        await plan(FakeDrive(*ENTRIES), store, include=["[z-a]"])
    assert not any("plan-" in name for name in store.blobs)


async def test_all_sources_together_stay_within_the_batches_of_a_run():
    store, clock = MemoryBlobStore(), FakeClock()
    listings = []
    for number, count in enumerate((50, 3, 0)):
        task = SourceTask(source=f"user/u{number}@example.com", instant=TASK.instant, run="r", batch_files=1)
        drive = FakeDrive(*(file(f"{n}", b"%d" % n) for n in range(count)))
        listings.append(await list_source(drive, store, task, clock))
    plans, batches = await plan_sources(store, listings, export_formats={}, max_batches=10, clock=clock)
    assert [plan.copy_files for plan in plans] == [50, 3, 0]
    assert sum(batch.files for batch in batches) == 53
    assert len(batches) <= 10
    assert [(batch.number, batch.of) for batch in batches if batch.task.source.startswith("user/u1@")] == [(1, 1)]


def test_shares_never_go_below_what_a_source_needs_when_there_is_enough():
    loads = [(20_000, 0, TASK), (1, 0, TASK), (500, 0, TASK), (5_000, 10**12, TASK)]
    assert share_batches(loads, 400)[0] >= 10
    assert sum(share_batches(loads, 400)) <= 400
    assert sum(share_batches(loads, 8)) <= 8
    assert share_batches(loads, 2) == [1, 1, 1, 1]
    assert share_batches([(0, 0, TASK)], 200) == [1]
