"""A restore into another container in steps, as the DAG makes it: each may be tried again, and the report is true."""

import pytest

from include.drive_backup.errors import ConfigError, SnapshotIncompleteError, TransientError
from include.drive_backup.restore import batches
from include.drive_backup.restore.batches import RestorePlan, RestoreTask, orders_of, report, verdict, work_of
from include.drive_backup.restore.container_batches import plan_container_restore, restore_container_batch
from tests.core.restore.test_container import ALL
from tests.core.restore.test_local import ANN
from tests.support.memory_target import MemoryTargetStore


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(batches, "_LEAST_ITEMS", 2)


async def plan(backup, target, token="one", **more):
    task = RestoreTask(source=str(ANN), run="manual", **{"to": "container/other/safe", **more})
    made = await plan_container_restore(backup.store, target, task, work_of("manual", token))
    return RestorePlan.from_dict(made.to_dict())


async def finish(backup, target, made):
    for batch in made.batches:
        await restore_container_batch(backup.store, target, batch, backup.clock)
    return (await report(backup.store, made, "try"))[0]


EXPECTED = dict(sorted((f"safe/{name}", data) for name, data in ALL.items()))


async def test_the_batches_together_restore_everything_once(backup, target):
    made = await plan(backup, target)
    assert len(made.batches) > 2
    assert target.blobs == {}
    counts = await finish(backup, target, made)
    verdict(counts)
    assert (counts["restored"], counts["missing"]) == (7, 0)
    assert target.files() == EXPECTED
    assert (await target.head("safe/Plan.docx")).metadata["snapshot"] == "20260301T000000.000Z"


async def test_steps_that_are_cleared_write_nothing_more(backup, target):
    first = await plan(backup, target)
    await finish(backup, target, first)
    before = dict(target.blobs)
    second = await plan(backup, target, "two")
    counts = await finish(backup, target, second)
    verdict(counts)
    assert (counts["restored"], counts["same"], target.blobs) == (0, 9, before)


async def test_a_failed_file_fails_its_batch_and_only_it_is_tried_again(backup, target):
    [blob] = [name for name in backup.store.blobs if "/Plan/" in name]
    kept = backup.store.blobs.pop(blob)
    made = await plan(backup, target)
    [bad] = [
        each for each in made.batches if "Plan" in {order.row.path for order in await orders_of(backup.store, each)}
    ]
    for batch in made.batches:
        if batch is not bad:
            await restore_container_batch(backup.store, target, batch, backup.clock)
    with pytest.raises(TransientError, match="Plan"):
        await restore_container_batch(backup.store, target, bad, backup.clock)
    counts, _ = await report(backup.store, made, "one")
    with pytest.raises(SnapshotIncompleteError, match="1 failed"):
        verdict(counts)
    backup.store.blobs[blob] = kept
    target.calls.clear()
    await restore_container_batch(backup.store, target, bad, backup.clock)
    assert (target.calls["put"], target.files()) == (1, EXPECTED)


async def test_the_backups_own_container_is_refused_before_anything_is_planned(backup, target):
    target.blobs = backup.store.blobs
    with pytest.raises(ConfigError, match="holds a backup"):
        await plan(backup, target)
    with pytest.raises(ConfigError, match="its own blobs"):
        await plan(backup, MemoryTargetStore(), to="container/other/content")


@pytest.mark.parametrize(("asked", "good"), [({"paths": ("/To a",)}, False), ({}, True)])
async def test_a_shortcut_that_was_asked_for_by_name_is_not_passed_over(backup, target, asked, good):
    counts = await finish(backup, target, await plan(backup, target, **asked))
    assert counts["left-out"] == 1
    if good:
        verdict(counts)
    else:
        with pytest.raises(SnapshotIncompleteError, match="1 asked for and left out"):
            verdict(counts)


async def test_a_part_of_a_snapshot_does_not_take_the_name_of_another_part(backup, target):
    for number, one in enumerate(("a1", "a2")):
        await finish(backup, target, await plan(backup, target, str(number), ids=(one,), conflict="replace"))
    assert sorted(target.files().values()) == [b"first", b"second"]
