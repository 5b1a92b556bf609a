"""What retention keeps is what can be restored: it looks into the catalogues and at the content before it chooses."""

import hashlib
import json

import pytest
from msgspec.structs import replace

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.retention.readable import plan_text
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.verification.restorable import look_at
from include.drive_backup.verification.run import choose, verify_source
from tests.core.retention.house import ANN, FILES, House
from tests.support.fake_drive import at

DAILY = Policy(keep=Keep(daily=30), brake_percent=100)
NEWEST = Policy(keep=Keep(last=1), brake_percent=100)


@pytest.fixture
async def house():
    """Three days of backups: each day one file has changed."""
    made = House()
    await made.back_up()
    for day in (1, 2):
        made.tomorrow()
        await made.back_up(day)
    made.tomorrow(20)
    return made


def put(store, name, data):
    """What somebody with access to the container makes of a blob."""
    was = store.blobs[name][1]
    store.blobs[name] = (data, replace(was, size=len(data), md5=hashlib.md5(data).hexdigest()))


def edit(store, name, **changes):
    put(store, name, json.dumps({**json.loads(store.blobs[name][0]), **changes}).encode())


async def names_of(house):
    return await SnapshotRepository(house.store).names(ANN)


async def restorable(house):
    """The snapshots all of which can be read."""
    found = []
    for name in await names_of(house):
        manifest = await SnapshotRepository(house.store).read(name)
        try:
            await select(house.store, manifest, Selection())
            await house.backup.restored({"manifest": name.manifest})
        except CorruptStoreError:
            continue
        found.append(name.key)
    return found


async def test_a_newest_snapshot_without_its_catalogue_does_not_cost_the_last_that_can_be_restored(house):
    *_, before, newest = await names_of(house)
    del house.store.blobs[newest.part(0)]
    plan = await house.plan(NEWEST)
    assert plan.unreadable == (newest.key,)
    assert f"{newest.ident}  its catalogue cannot be read" in plan_text([plan])
    assert before.key not in plan.goes
    await house.apply(NEWEST, approved=True)
    assert await restorable(house) == [before.key]
    assert newest.manifest in house.store.blobs


@pytest.mark.parametrize("lost", [1, 2])
async def test_one_after_the_other_is_looked_at_until_one_can_be_restored(house, lost):
    names = await names_of(house)
    for name in names[-lost:]:
        del house.store.blobs[name.part(0)]
    await house.apply(NEWEST, approved=True)
    assert await restorable(house) == [names[-lost - 1].key]


async def test_of_a_day_the_snapshot_that_can_be_restored_stays():
    house = House()
    await house.back_up()
    house.backup.clock.set(at("2026-03-01T12:10"))
    second = await house.backup.run("2026-03-01T12:00", mode="full")
    del house.store.blobs[second["manifest"].replace("manifest.json", "items-00000.parquet")]
    house.tomorrow()
    await house.back_up(1)
    assert (await house.plan(Policy(keep=Keep(daily=2)))).goes == ()


async def damaged(house, name, changed):
    """Spoil the content of one file of a snapshot."""
    rows = await house.backup.rows({"manifest": name.manifest})
    [blob] = [content["blob"] for row in rows.values() for content in row["contents"] or ()
              if row["item_id"] == f"id{changed}"]  # fmt: skip
    return blob


@pytest.mark.parametrize("how", ["bytes recorded", "missing"])
async def test_damaged_content_of_the_newest_does_not_cost_the_last_undamaged_version(house, how):
    *_, before, newest = await names_of(house)
    blob = await damaged(house, newest, 2)
    if how == "missing":
        del house.store.blobs[blob]
    else:
        data, info = house.store.blobs[blob]
        house.store.blobs[blob] = (bytes(len(data)), info)
        await verify_source(house.store, await choose(house.store, ANN), "all", now=house.backup.clock.now())
    plan = await house.plan(NEWEST)
    assert (before.key in plan.goes, newest.key in plan.goes) == (False, False)
    assert f"{newest.ident}  1 content damaged; newest complete" in plan_text([plan])
    await house.apply(NEWEST, approved=True)
    assert len(await house.backup.restored({"manifest": before.manifest})) == FILES


async def test_when_a_new_snapshot_has_all_again_the_rules_hold_as_ever(house):
    *_, newest = await names_of(house)
    del house.store.blobs[await damaged(house, newest, 2)]
    await house.back_up()
    await house.apply(NEWEST, approved=True)
    assert await house.check() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": []},
        {"parts": [], "items": 0},
        {"items": 99},
        {"counts": {"copied": 1}},
        {"fidelity": {"exact": 1}},
    ],
    ids=str,
)
async def test_a_kept_manifest_that_does_not_count_what_its_catalogue_has_keeps_all_content(house, changes):
    oldest, *_ = await names_of(house)
    edit(house.store, oldest.manifest, **changes)
    before = house.backup.contents()
    done = await house.apply(DAILY, approved=True)
    assert "Nobody knows what it refers to" in (done.blocked or "")
    assert (house.backup.contents(), done.forgotten) == (before, ())


async def test_a_catalogue_of_fewer_parts_is_not_restored_as_if_it_were_all(house):
    """Two parts of which the manifest names one: what is in the other would be missed by nobody."""
    *_, newest = await names_of(house)
    part = json.loads(house.store.blobs[newest.manifest][0])["parts"][0]
    edit(house.store, newest.manifest, parts=[], items=part["rows"])
    manifest = await SnapshotRepository(house.store).read(newest)
    with pytest.raises(CorruptStoreError, match="names parts of 0 rows"):
        await select(house.store, manifest, Selection())
    # Nor do readers of the newest take it, and nobody calls it whole.
    found = await SnapshotRepository(house.store).choose(newest.source)
    assert found.manifest.name != newest
    assert [each.name for each in found.damaged] == [newest]
    assert (await look_at(house.store, newest.series)).whole != newest


async def test_a_backfilled_instant_does_not_take_the_place_of_what_was_saved_on_time():
    house = House()
    await house.back_up()
    on_time, *_ = await names_of(house)
    house.tomorrow(0.2)
    house.drive.now = house.backup.clock.now()
    house.drive.write("id0", b"of the evening", house.drive.now.isoformat())
    house.drive.past.clear()
    house.tomorrow(0.3)
    late = await house.backup.run("2026-03-01T06:00")
    assert late["kind"] == "as-of"
    house.tomorrow(40)
    await house.back_up()
    await house.apply(Policy(keep=Keep(daily=1, monthly=2)), approved=True)
    assert on_time.manifest in house.store.blobs
    assert (await house.backup.restored({"manifest": on_time.manifest}))["id0"] == b"file 0" * 10
    assert late["manifest"] not in house.store.blobs
