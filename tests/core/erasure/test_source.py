"""All of one source goes, and nothing of any other one."""

from __future__ import annotations

import json

import pytest

from include.drive_backup.erasure.plan import plan_erasure
from include.drive_backup.erasure.run import erase_one, look_elsewhere
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.orders import elsewhere
from include.drive_backup.retention.holds import hold, release
from tests.core.erasure.world import DANA, World
from tests.core.retention.house import ANN
from tests.support.memory_repair import MemoryRepairStore
from tests.support.verified import assert_sound

BOB = Source(kind="user", id="bob@example.com")
SHARED = Source(kind="shared", id="bob@example.com")


async def a_world(days=2):
    world = World()
    for day in range(days):
        await world.back_up(day)
        await world.back_up(source=str(BOB))
        world.tomorrow()
    return world


def of_ann(world):
    """The blobs of the source, but for the lock and the record."""
    names = [name for name in world.store.blobs if "ann@example.com" in name]
    return [name for name in names if not name.startswith(("erased/", "locks/"))]


async def test_everything_of_it_goes_and_other_sources_stay():
    world = await a_world()
    others = {name: data for name, (data, _) in world.store.blobs.items() if "bob@example.com" in name}
    plan = await world.plan_erase()
    assert (len(plan.snapshots), plan.content.blobs) == (
        2,
        len([name for name in world.backup.contents() if "ann@" in name]),
    )
    assert len(of_ann(world)) > 20
    done = await world.erase()
    assert (done.whole, len(done.snapshots)) == (True, 2)
    assert of_ann(world) == []
    assert {name: world.store.blobs[name][0] for name in others} == others
    assert json.loads(world.store.blobs[f"{done.record}begun.json"][0])["by"] == DANA.by
    assert (await world.plan_erase()).empty


async def test_a_held_snapshot_stays_with_all_that_it_needs():
    world = await a_world()
    first = (await world.manifests())[0].name
    await hold(world.store, first, "court")
    before = (await world.bytes_of())[first.ident]
    plan = await world.plan_erase()
    done = await world.erase()
    assert (done.whole, done.kept) == (False, (first.key,))
    assert plan.content == done.content
    assert await world.bytes_of() == {first.ident: before}
    await assert_sound(world.store)
    await release(world.store, first, "court")
    assert (await world.erase()).whole
    assert of_ann(world) == []


async def test_what_immutability_forbids_is_said():
    world = await a_world()
    (blob,) = [name for name in world.backup.contents() if "ann@" in name and "/0.txt/" in name][:1]
    world.store.immutable.add(blob)
    done = await world.erase()
    assert not done.whole
    assert "immutability policy" in done.refused[0]
    assert of_ann(world) == [blob]


async def test_the_next_backup_begins_anew():
    world = await a_world()
    await world.erase()
    world.tomorrow()
    summary = await world.back_up()
    assert (summary["status"], summary["kind"]) == ("complete", "full")
    await assert_sound(world.store)


async def shares_with_bob(world):
    """The manifest of what is shared with Bob says that the items are in Ann's."""
    summary = await world.back_up(source=str(SHARED))
    data, info = world.store.blobs[summary["manifest"]]
    said = {**json.loads(data), "covered": {"user/ann@example.com": 3}}
    del world.store.blobs[summary["manifest"]]
    await world.store.put(summary["manifest"], json.dumps(said).encode(), content_type=info.content_type)
    return await SnapshotRepository(world.store).find(SHARED)


async def test_snapshots_that_relied_on_it_say_so():
    world = await a_world()
    manifest = await shares_with_bob(world)
    assert "3 items in the snapshot" in elsewhere(manifest)
    plan = await plan_erasure(world.store, ANN)
    assert plan.relying == (f"{SHARED} {manifest.name.ident}",)

    def lock(source):
        return SourceLock(world.store, source, "erase", clock=world.backup.clock)

    done, (corrected,) = await erase_one(world.store, plan, DANA, lock, world.backup.clock)
    assert corrected.snapshots == (manifest.name.key,)
    manifest = await SnapshotRepository(world.store).find(SHARED)
    assert elsewhere(manifest) is None
    assert [(each.items, each.record) for each in manifest.erased] == [(3, done.record)]
    assert (await plan_erasure(world.store, ANN)).empty


async def test_what_else_names_the_person_is_found():
    world = await a_world(days=0)
    world.drive.items["id3"]["owners"] = [{"emailAddress": "Ann@Example.com"}]
    summary = await world.back_up(source=str(BOB))
    await world.store.put("work/run/r1/t/group.jsonl", b'{"source":"user/ann@example.com"}')
    await world.store.put("work/run/r2/t/group.jsonl", b'{"source":"user/cid@example.com"}')
    await world.store.put("work/restore/r3/t/plan.jsonl", b'{"who":"ANN@example.com"}')
    world.tomorrow(31)
    await world.store.put("work/run/r4/t/group.jsonl", b'{"source":"user/ann@example.com"}')
    await world.store.put("outbox/20260301-1.json", b'{"subject":"user/ann@example.com"}')
    await world.store.put("people/00000001.json", b'{"persons":[{"name":"ann@example.com"}]}')
    found = await look_elsewhere(world.store, ANN, None, [], delete=False)
    (mention,) = found.mentions
    assert (mention.source, mention.snapshots, mention.examples) == (str(BOB), 1, ("id3",))
    assert {(each.prefix, each.over) for each in found.traces} == {
        ("work/run/r1", True),
        ("work/restore/r3", True),
        ("work/run/r4", False),
        ("outbox", False),
        ("people", False),
    }
    done = await look_elsewhere(world.store, ANN, None, [], delete=True)
    assert done.deleted.blobs == 2
    left = [name for name in world.store.blobs if name.startswith(("work/r", "outbox"))]
    assert left == ["work/run/r2/t/group.jsonl", "work/run/r4/t/group.jsonl", "outbox/20260301-1.json"]
    assert summary["manifest"] in world.store.blobs


@pytest.mark.parametrize("account", [{"versions": True}, {"soft_delete": True}], ids=["versions", "soft delete"])
async def test_what_the_account_keeps_is_said(account):
    world = World(store=MemoryRepairStore(**account))
    await world.back_up()
    assert (await world.erase()).earlier
