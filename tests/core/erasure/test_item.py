"""One item is taken out of all snapshots; all others come back as before, and the snapshots say what they lack."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from include.drive_backup.erasure.readable import done_lines, plan_lines
from include.drive_backup.errors import CorruptStoreError, SourceBusyError
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.catalogue import read_details, read_left
from include.drive_backup.protection import Reader, register
from include.drive_backup.retention.holds import hold, release
from tests.core.erasure.world import DANA, World
from tests.core.retention.house import ANN, FILES, Killed
from tests.support.fake_drive import FakeDrive
from tests.support.memory_repair import MemoryRepairStore
from tests.support.trees import ROOT, file, folder, shortcut
from tests.support.verified import assert_sound

SECRET = "Ms Example dismissal.txt"


async def a_world(*entries, days=2, **options):
    """A file of a name that nobody else has, one beside it, and some nights."""
    drive = FakeDrive(folder("Docs", file(SECRET, b"secret", id="secret1"), file("b.txt", b"other", id="b1"), id="d"))
    for entry in entries:
        drive.add(entry)
    world = World(drive, **options)
    for _ in range(days):
        await world.back_up()
        world.tomorrow()
    return world


async def with_a_copy():
    """The second and third night have another file of the same bytes, which are not stored again."""
    world = await a_world(days=1)
    world.drive.add(file("copy.txt", b"secret", id="copy1"), parent="d")
    for _ in range(2):
        await world.back_up()
        world.tomorrow()
    assert [data for data, _ in world.store.blobs.values()].count(b"secret") == 1
    return world


async def test_an_item_goes_from_all_snapshots_and_all_others_stay():
    world = await a_world(days=3)
    before = await world.bytes_of()

    plan = await world.plan_erase("secret1")
    assert [found.items for found in plan.snapshots] == [1, 1, 1]
    assert (plan.content.blobs, plan.content.bytes) == (1, len(b"secret"))
    assert await world.bytes_of() == before  # a plan changes nothing

    done = await world.erase("secret1")
    assert done.whole
    assert len(done.snapshots) == 3
    assert done.content.blobs == 1
    assert await world.bytes_of() == {
        ident: {item: data for item, data in found.items() if item != "secret1"} for ident, found in before.items()
    }
    assert world.naming("secret1", SECRET, "dismissal") == []
    await assert_sound(world.store)
    for manifest in await world.manifests():
        assert manifest.status == "complete"
        assert [(each.items, each.record) for each in manifest.erased] == [(1, done.record)]
        assert manifest.items == sum(manifest.counts.values()) == sum(manifest.fidelity.values())
        assert await world.store.head(manifest.parts[0].blob) is not None


async def test_the_record_says_what_by_whom_and_when_and_names_no_file():
    world = await a_world()
    done = await world.erase("secret1")
    begun = json.loads(world.store.blobs[f"{done.record}begun.json"][0])
    ended = json.loads(world.store.blobs[f"{done.record}done.json"][0])
    assert (begun["by"], begun["reason"], begun["item"]) == (DANA.by, DANA.reason, "secret1")
    assert begun["when"].startswith("20260303T")
    assert ended["whole"] is True
    assert ended["content"] == {"blobs": 1, "bytes": 6}
    assert world.naming("dismissal", but=()) == []


async def test_the_next_backup_has_it_again_only_if_drive_still_has_it():
    world = await a_world()
    await world.erase("secret1")
    world.tomorrow()
    await world.back_up()
    assert [("secret1" in items) for items in await world.items()] == [False, False, True]

    await world.erase("secret1")
    world.drive.delete("secret1")
    world.tomorrow()
    summary = await world.back_up()
    assert summary["status"] == "complete"
    assert not any("secret1" in items for items in await world.items())
    assert world.naming("dismissal") == []
    await assert_sound(world.store)


async def test_content_that_another_item_has_stays_and_is_named():
    world = await with_a_copy()
    plan = await world.plan_erase("secret1")
    done = await world.erase("secret1")
    for each in (plan, done):
        assert each.content.blobs == 0
        assert [shared.items for shared in each.shared] == [("copy1",)]
    assert [found.get("copy1") for found in (await world.bytes_of()).values()] == [None, b"secret", b"secret"]
    # What stays is said, and only that.
    assert done.shared[0].blob == plan.shared[0].blob
    assert world.naming("secret1", "dismissal", shared=[done.shared[0].blob]) == []
    await assert_sound(world.store)


async def test_content_that_another_item_shared_goes_with_the_last_of_them():
    world = await with_a_copy()
    await world.erase("secret1")
    done = await world.erase("copy1")
    assert done.content.blobs == 1
    assert world.naming("copy1", "secret1", "dismissal") == []
    assert not any(data == b"secret" for data, _ in world.store.blobs.values())


async def test_content_that_only_the_catalogues_told_of_is_found_after_a_kill():
    """What it shares has the metadata of an item that is gone, so that nothing else tells whose it was."""
    world = await with_a_copy()
    await world.erase("secret1")

    def die(phase, operation, name):
        if operation == "delete" and name.startswith("content/"):
            raise Killed

    world.store.fault = die
    with pytest.raises(Killed):
        await world.erase("copy1")
    world.store.fault = None
    world.tomorrow()
    assert not any("copy1" in items for items in await world.items())
    assert (await world.plan_erase("copy1")).content.blobs == 1
    assert (await world.erase("copy1")).content.blobs == 1
    assert not any(data == b"secret" for data, _ in world.store.blobs.values())


async def test_a_folder_goes_with_what_was_in_it_and_what_was_elsewhere_then_stays():
    world = await a_world(folder("Private", file("in.txt", b"in", id="in1"), file("moved.txt", b"m", id="m1"), id="p1"))
    world.drive.change("m1", parents=["d"])
    await world.back_up()

    done = await world.erase("p1")
    assert done.whole
    items = await world.items()
    assert [("in1" in each, "p1" in each) for each in items] == [(False, False)] * 3
    assert [("m1" in each) for each in items] == [False, False, True]
    assert list((await world.bytes_of()).values())[-1]["m1"] == b"m"
    assert world.naming("in1", 'p1"', "in.txt") == []
    await assert_sound(world.store)


@pytest.mark.parametrize("written", [1, 2])
async def test_what_left_a_folder_that_was_renamed_goes_after_a_kill_between_two_snapshots(written):
    world = await a_world(folder("Private", file("in.txt", b"in", id="in1"), file("too.txt", b"t", id="t1"), id="p1"))
    world.drive.change("p1", name="Other")
    world.drive.delete("in1")
    await world.back_up()
    replaced = []

    def die(phase, operation, name):
        if (phase, operation) == ("after", "put") and name.endswith("manifest.json"):
            replaced.append(name)
            if len(replaced) == written:
                raise Killed

    world.store.fault = die
    with pytest.raises(Killed):
        await world.erase("p1")
    world.store.fault = None
    world.tomorrow()
    assert (await world.erase("p1")).whole
    assert world.naming("in1", "in.txt", "Private", "Other") == []
    await assert_sound(world.store)


async def left_of(world):
    manifest = (await world.manifests())[-1]
    return {row["item_id"] async for row in read_left(world.store, manifest)}


async def test_what_left_another_folder_that_had_the_same_name_stays():
    world = await a_world(folder("Private", file("in.txt", b"in", id="in1"), id="old"), days=1)
    for ident in ("in1", "old"):
        world.drive.delete(ident)
    world.drive.add(folder("Private", file("x.txt", b"x", id="x1"), id="new"))
    await world.back_up()
    world.tomorrow()
    before = await left_of(world)
    assert before >= {"in1", "old"}
    assert (await world.erase("new")).whole
    assert await left_of(world) == before


async def without_its_base(rename):
    """A folder from which a file left, and of which retention took the snapshot before."""
    world = await a_world(folder("Private", file("in.txt", b"in", id="in1"), id="p1"), days=1)
    if rename:
        world.drive.change("p1", name="Other")
    world.drive.delete("in1")
    await world.back_up()
    world.tomorrow(30)
    assert (await world.apply(approved=True)).forgotten
    assert await left_of(world) == {"in1"}
    return world


async def test_what_left_a_folder_whose_earlier_path_nobody_knows_is_said():
    world = await without_its_base(rename=True)
    (key,) = [manifest.name.key for manifest in await world.manifests()]
    plan, done = await world.plan_erase("p1"), await world.erase("p1")
    for each, lines in ((plan, plan_lines(plan)), (done, done_lines(done, []))):
        assert each.unknown == {key: ("in1",)}
        assert any(f"{key} MAY STILL NAME" in line and "in1" in line for line in lines)
    assert not done.whole
    assert (await world.erase("in1")).whole
    assert world.naming("in1", "in.txt", "Private") == []


async def test_what_left_a_folder_that_kept_its_path_goes_without_the_snapshot_before():
    world = await without_its_base(rename=False)
    assert (await world.erase("p1")).whole
    assert await left_of(world) == set()


@pytest.mark.parametrize("ident", ["p1", "secret1"])
async def test_an_erasure_that_was_killed_after_the_last_manifest_is_not_empty(ident):
    world = await a_world(folder("Private", id="p1"))
    for name in [name for name in world.store.blobs if name.startswith("work/")]:
        del world.store.blobs[name]
    replaced = []

    def die(phase, operation, name):
        if (phase, operation) == ("after", "put") and name.endswith("manifest.json"):
            replaced.append(name)
            if len(replaced) == 2:
                raise Killed

    world.store.fault = die
    with pytest.raises(Killed):
        await world.erase(ident)
    world.store.fault = None
    world.tomorrow()
    for name in [name for name in world.backup.contents() if "dismissal" in name]:
        del world.store.blobs[name]
    assert len(world.naming(ident)) == 2
    assert not (await world.plan_erase(ident)).empty
    assert (await world.plan_erase("nobody's")).empty
    assert (await world.erase(ident)).whole
    assert world.naming(ident) == []
    assert (await world.plan_erase(ident)).empty


async def test_parts_that_cannot_be_read_may_name_it():
    world = await a_world()
    prefix = (await world.manifests())[0].name.prefix
    await world.store.put(f"{prefix}items-0123abcd-00000.parquet", b"x")
    assert not (await world.plan_erase("nobody's")).empty


async def test_parts_alone_are_something_of_a_source():
    world = await a_world(days=1)
    prefix = (await world.manifests())[0].name.prefix
    world.store.blobs = {name: kept for name, kept in world.store.blobs.items() if name.startswith(prefix)}
    del world.store.blobs[f"{prefix}manifest.json"]
    plan = await world.plan_erase()
    assert (plan.parts.blobs, plan.empty) == (1, False)


async def test_tables_of_what_left_and_details_lose_it_too():
    world = await a_world(days=0)
    world.drive.kept = {("secret1", "comments"): [{"content": "she said", "author": "Ann"}]}
    save = ("comments",)
    await world.back_up(save=save)
    world.tomorrow()
    world.drive.delete("secret1")
    world.drive.delete("b1")
    await world.back_up(save=save)
    first, second = await world.manifests()
    assert {row["item_id"] async for row in read_left(world.store, second)} == {"secret1", "b1"}

    await world.erase("secret1")
    first, second = await world.manifests()
    assert {row["item_id"] async for row in read_details(world.store, first)} == {"b1"}
    assert {row["item_id"] async for row in read_left(world.store, second)} == {"b1"}
    assert sum(second.left.counts.values()) == 1
    assert (second.erased[0].items, second.erased[0].left) == (0, 1)
    assert world.naming("secret1", "dismissal", "she said") == []
    await assert_sound(world.store)


async def test_reasons_and_examples_are_counted_anew():
    world = await a_world(days=0)
    world.drive.items["secret1"]["capabilities"] = {"canDownload": False}
    world.drive.items["b1"]["capabilities"] = {"canDownload": False}
    await world.back_up()
    (before,) = await world.manifests()
    await world.erase("secret1")
    (after,) = await world.manifests()
    (reason,) = before.reasons
    assert (before.reasons[reason].count, after.reasons[reason].count) == (2, 1)
    assert after.reasons[reason].examples == ("/Docs/b.txt",)
    assert world.naming("dismissal") == []


async def test_a_held_snapshot_stays_as_it_is_with_its_content_and_is_named():
    world = await a_world(days=2)
    first = (await world.manifests())[0].name
    await hold(world.store, first, "court")
    before = await world.bytes_of()

    plan = await world.plan_erase("secret1")
    assert [found.kept_by for found in plan.snapshots] == [(), ("held by 'court'",)]
    assert plan.content.blobs == 0
    done = await world.erase("secret1")
    assert (done.whole, done.kept, done.content.blobs) == (False, (first.key,), 0)
    assert (await world.bytes_of())[first.ident] == before[first.ident]
    assert [("secret1" in items) for items in await world.items()] == [True, False]
    await assert_sound(world.store)

    await release(world.store, first, "court")
    done = await world.erase("secret1")
    assert (done.whole, done.content.blobs) == (True, 1)
    assert world.naming("secret1", "dismissal") == []


async def test_a_snapshot_that_is_being_restored_stays_for_now():
    world = await a_world(days=2)
    first = (await world.manifests())[0].name
    await register(world.store, first, Reader(who="me", doing="restored"))
    done = await world.erase("secret1")
    assert done.kept == (first.key,)
    assert (await world.bytes_of())[first.ident]["secret1"] == b"secret"


async def test_a_verification_of_the_source_is_waited_for():
    world = await a_world()
    await register(world.store, ANN, Reader(who="me", doing="verified"))
    before = dict(world.store.blobs)
    with pytest.raises(SourceBusyError, match="being verified by me; this is tried again later"):
        await world.erase("secret1")
    assert {name for name in world.store.blobs if not name.startswith("locks/")} == {
        name for name in before if not name.startswith("locks/")
    }


async def test_a_running_backup_is_waited_for():
    world = await a_world()
    await SourceLock(world.store, ANN, "a backup", clock=world.backup.clock).take()
    with pytest.raises(SourceBusyError, match="held by another run, a backup"):
        await world.erase("secret1")
    assert all("secret1" in items for items in await world.items())


@pytest.mark.parametrize("kind", ["manifest.json", "content/"])
async def test_what_immutability_forbids_is_said_and_nothing_else_is_lost(kind):
    world = await a_world(days=2)
    before = await world.bytes_of()
    world.store.immutable |= {name for name in world.store.blobs if kind in name}
    done = await world.erase("secret1")
    assert not done.whole
    assert "immutability policy" in " ".join(done.refused)
    if kind == "manifest.json":
        assert done.snapshots == ()
        assert await world.bytes_of() == before
    else:
        assert len(done.snapshots) == 2
        world.store.immutable.clear()
        again = await world.erase("secret1")
        assert (again.whole, again.content.blobs) == (True, 1)
        assert world.naming("secret1", "dismissal") == []
    await assert_sound(world.store)


@pytest.mark.parametrize("account", [{"versions": True}, {"soft_delete": True}], ids=["versions", "soft delete"])
async def test_what_the_account_keeps_is_said(account):
    world = await a_world(store=MemoryRepairStore(**account))
    done = await world.erase("secret1")
    assert done.earlier
    assert (await (await a_world()).erase("secret1")).earlier == ()


@pytest.mark.parametrize("part", ["manifest.json", "items-00000.parquet"])
async def test_a_snapshot_that_cannot_be_read_keeps_all_content_and_is_named(part):
    world = await a_world(days=2)
    first = (await world.manifests())[0].name
    blob = f"{first.prefix}{part}"
    data, info = world.store.blobs[blob]
    world.store.blobs[blob] = (b"x" * len(data), replace(info, md5="0" * 32))
    plan = await world.plan_erase("secret1")
    done = await world.erase("secret1")
    for each in (plan, done):
        assert list(each.unreadable) == [first.key]
        assert each.content.blobs == 0
        assert each.blocked is not None
    assert not done.whole
    assert len(world.backup.contents()) == 2
    world.store.blobs[blob] = (data, info)
    done = await world.erase("secret1")
    assert (done.whole, done.content.blobs) == (True, 1)
    assert world.naming("secret1", "dismissal") == []


async def test_it_ends_when_the_lock_is_lost_and_another_erasure_goes_on():
    world = await a_world(days=3)
    number = 0

    def fault(phase, operation, name):
        nonlocal number
        number += phase == "before" and operation == "put" and name.endswith("manifest.json")
        if number == 2 and phase == "before" and operation == "put":
            # The process was frozen for long, and another run took the lock.
            world.backup.clock.set(world.backup.clock.now() + timedelta(minutes=11))
            number += 1

    world.store.fault = fault
    with pytest.raises(SourceBusyError):
        await world.erase("secret1")
    world.store.fault = None
    await assert_sound(world.store)
    done = await world.erase("secret1")
    assert done.whole
    assert world.naming("secret1", "dismissal") == []


async def test_the_folder_that_the_source_starts_at_is_no_item():
    world = await a_world()
    plan = await world.plan_erase(ROOT)
    assert (plan.snapshots, plan.is_root) == ((), True)


async def test_shortcuts_to_it_stay():
    world = await a_world(shortcut("to it", "secret1", id="s1"))
    await world.erase("secret1")
    assert all("s1" in items for items in await world.items())


async def test_what_was_never_committed_goes_too():
    world = await a_world(days=1)
    plan, batches = await world.backup.plan("2026-03-02T12:00")
    for batch in batches:
        await world.backup.copy(batch)

    def die(phase, operation, name):
        if operation == "put" and name.endswith("manifest.json"):
            raise Killed

    world.store.fault = die
    with pytest.raises(Killed):
        await world.backup.commit(plan)
    world.store.fault = None
    assert len([name for name in world.naming("secret1") if name.startswith("snapshots/")]) == 2
    done = await world.erase("secret1")
    assert done.whole
    assert world.naming("secret1", "dismissal") == []
    # The killed run is tried again, and does not bring a snapshot that refers to what is gone.
    with pytest.raises(CorruptStoreError):
        await world.backup.commit(plan)
    await assert_sound(world.store)


async def test_retention_and_a_backup_go_on_after_it():
    world = World()
    for day in range(3):
        await world.back_up(day)
        world.tomorrow()
    await world.erase("id1")
    world.drive.delete("id1")
    world.tomorrow(10)
    await world.back_up(5)
    world.tomorrow(10)
    await world.apply(approved=True)
    assert await world.check() == 1
    assert len(world.backup.contents()) == FILES - 1
    await assert_sound(world.store)
