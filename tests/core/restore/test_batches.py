"""A restore in steps, as the DAG makes it: each step may be tried again, and the report is true."""

import asyncio
import secrets

import pytest

from include.drive_backup.errors import PermanentError, SnapshotIncompleteError, TransientError
from include.drive_backup.restore import batches
from include.drive_backup.restore.batches import (
    RestorePlan,
    RestoreTask,
    contents_of_plan,
    plan_restore,
    report,
    restore_batch,
    restored_ids,
    verdict,
    work_of,
)
from include.drive_backup.restore.rehydrate import archived_among, ask
from tests.core.restore.test_drive import ANN, EXPECTED, opened, sample, simple
from tests.support.local_drive import LocalDrive


@pytest.fixture
async def world():
    async with opened(sample()) as made:
        yield made


async def plan(world, token="one", **more):
    task = RestoreTask(source=f"user/{ANN}", run="manual", subject=ANN, **{"to": f"user/{ANN}", **more})
    return await plan_restore(world.drive, world.backup.store, task, world.clock, work_of("manual", token))


async def finish(world, plan):
    store = world.backup.store
    for batch in plan.batches:
        await restore_batch(world.drive, store, batch, world.clock)
    ids = await restored_ids(store, plan)
    await restore_batch(world.drive, store, plan.shortcuts, world.clock, ids=ids)
    return (await report(store, plan, secrets.token_hex(4)))[0]


async def test_the_steps_together_restore_everything_once(world):
    made = await plan(world)
    counts = await finish(world, RestorePlan.from_dict(made.to_dict()))
    verdict(counts)
    assert (counts["restored"], counts["missing"]) == (8, 0)
    folder = made.batches[0].target.folder_id
    assert simple(world.tree(folder)) == EXPECTED
    [q1] = [
        i
        for i in world.local.state.items.values()
        if i.fields.get("properties") and i.parents == [world.named("Reports", folder).id]
    ]
    assert world.named("to q1", folder).target == q1.id


async def test_steps_that_are_cleared_double_nothing(world):
    first = await plan(world)
    await finish(world, first)
    items = set(world.local.state.items)
    for again in (first, await plan(world, "two")):
        counts = await finish(world, again)
        verdict(counts)
        assert counts["missing"] == 0
    assert set(world.local.state.items) == items


async def test_what_did_not_run_is_missing_in_the_report(world):
    made = await plan(world)
    counts, blob = await report(world.backup.store, made, "try")
    assert counts["missing"] == 7
    assert blob.startswith(f"{made.work}/report-try-")
    with pytest.raises(SnapshotIncompleteError, match="7 missing"):
        verdict(counts)


async def test_a_failed_item_fails_its_batch_and_only_it_is_tried_again(world):
    store = world.backup.store
    [blob] = [name for name in store.blobs if "/big.bin/" in name]
    kept = store.blobs.pop(blob)
    made = await plan(world)
    with pytest.raises(TransientError, match=r"big\.bin"):
        await restore_batch(world.drive, store, made.batches[0], world.clock)
    counts, _ = await report(store, made, "one")
    assert counts["failed"] == 1
    store.blobs[blob] = kept
    verdict(await finish(world, made))
    assert simple(world.tree(made.batches[0].target.folder_id)) == EXPECTED


async def test_what_is_archived_fails_as_an_item_until_it_is_rehydrated(world):
    store = world.backup.store
    [blob] = [name for name in store.blobs if "/big.bin/" in name]
    await store.set_tier([blob], "archive")
    made = await plan(world, priority="high")
    names = await contents_of_plan(store, RestorePlan.from_dict(made.to_dict()))
    assert names == {name for name in store.blobs if name.startswith("content/")}
    archived = await archived_among(store, names)
    assert [info.name for info in archived] == [blob]
    with pytest.raises(TransientError, match=r"big\.bin") as caught:
        await restore_batch(world.drive, store, made.batches[0], world.clock)
    assert caught.value.reason == "BlobArchived"
    await ask(store, archived, made.priority)
    assert store.pending == {blob: ("hot", "high")}
    with pytest.raises(TransientError) as caught:
        await restore_batch(world.drive, store, made.batches[0], world.clock)
    assert caught.value.reason == "BlobBeingRehydrated"
    store.rehydrate()
    verdict(await finish(world, made))
    assert simple(world.tree(made.batches[0].target.folder_id)) == EXPECTED


async def test_files_of_one_name_in_different_batches_do_not_take_each_others_place(monkeypatch):
    """The batches run at the same time, and none knows what another one does."""
    monkeypatch.setattr(batches, "_LEAST_ITEMS", 1)
    monkeypatch.setattr(batches, "MAX_BATCHES", 1_000)
    local = LocalDrive()
    for n in range(3):
        local.file("a.txt", content=b"%d" % n)
    async with opened(local) as world:
        target = local.folder("Target")
        world.put("a.txt", target.id, b"mine")
        made = await plan(world, to=f"folder/{target.id}", merge=True, conflict="replace", paths=("/a.txt",))
        assert len(made.batches) > 1
        async with asyncio.TaskGroup() as group:
            for batch in made.batches:
                group.create_task(restore_batch(world.drive, world.backup.store, batch, world.clock))
        assert sorted(value for _, value in world.tree(target.id)) == [b"0", b"1", b"2", b"mine"]


async def test_a_limit_of_drive_is_not_tried_again_at_once(world):
    made = await plan(world)
    world.faults({"kind": "error", "routes": ["files.create"], "status": 403, "reason": "teamDriveFileLimitExceeded"})
    with pytest.raises(PermanentError, match="500,000"):
        await finish(world, made)
    world.faults()
    verdict(await finish(world, made))
