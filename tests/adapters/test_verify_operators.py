"""The tasks of a verification one after the other, on a container in memory."""

from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from drive_backup_airflow.operators import (
    check_listing,
    choose_snapshots,
    drill_restore,
    read_contents,
    report_damage,
    share_reading,
)
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import CorruptStoreError, SnapshotIncompleteError
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import write_people
from include.drive_backup.model import Source
from include.drive_backup.protection import read_readers
from include.drive_backup.verification import group
from tests.core.verification.tamper import put
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"


@pytest.fixture
async def backup(monkeypatch):
    made = Backup(FakeDrive(*(file(f"{n}.txt", f"{n}".encode(), id=f"n{n}") for n in range(5))))
    await made.run("2026-03-01")

    @asynccontextmanager
    async def open_store(*_):
        yield made.store

    @asynccontextmanager
    async def open_drive(*_):
        yield made.drive

    for module in (check_listing, choose_snapshots, drill_restore, read_contents, report_damage):
        monkeypatch.setattr(module, "open_store", open_store)
    monkeypatch.setattr(drill_restore, "open_drive", open_drive)
    return made


def context(states=None, events=None, **params):
    values = {"sources": [], "snapshots": "all", "read": "all", "period_days": 28, "drill_mb": 1, **params}
    run = SimpleNamespace(conf={}, run_type="manual" if events is None else "asset_triggered", clear_number=0)
    ti = SimpleNamespace(
        dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, get_task_states=lambda **_: {"r": states or {}}
    )
    dag = SimpleNamespace(dag_id="d", params=values)
    return {"params": values, "dag_run": run, "dag": dag, "ti": ti, "run_id": "r", "triggering_asset_events": events}


async def verify(told):
    groups = await choose_snapshots.ChooseSnapshotsOperator(task_id="a").run(told, None)
    checked = [await check_listing.CheckListingOperator(task_id="b", group=each).run(told, None) for each in groups]
    shares = await share_reading.ShareReadingOperator(task_id="c", checked=checked).run(told, None)
    read = [await read_contents.ReadContentsOperator(task_id="d", share=each).run(told, None) for each in shares]
    drilled = await drill_restore.DrillRestoreOperator(task_id="f", groups=groups).run(told, None)
    done = await report_damage.ReportDamageOperator(task_id="e", checked=checked, read=read).run(told, None)
    return done, drilled["drilled"]


async def test_a_sound_backup_passes_and_was_read(backup):
    done, [drilled] = await verify(context())
    assert done == {"checked": 5, "read": 5}
    assert drilled["counts"] == {"equal": 5}


@pytest.mark.parametrize("address", [None, "anne@example.com"])
async def test_a_drill_never_acts_as_who_has_the_address_of_a_name_now(backup, monkeypatch, address):
    acted = []

    @asynccontextmanager
    async def open_drive(_, subject):
        acted.append(subject)
        yield backup.drive

    monkeypatch.setattr(drill_restore, "open_drive", open_drive)
    ann = Person(name="ann@example.com", address=address, permission_id="p1")
    second = Person(name="ann@example.com~2", address="ann@example.com", permission_id="p2")
    assert await write_people(backup.store, 0, People([ann, second]), "run", backup.clock)
    done = await drill_restore.DrillRestoreOperator(task_id="f", groups=[{"sources": [ANN]}]).run(context(), None)
    assert sum(done["drilled"][0]["counts"].values()) == 5
    assert acted == [address] * (address is not None)


async def test_damage_is_named_and_told(backup, monkeypatch):
    told = []

    async def emit(facts, **_):
        told.extend(facts)

    monkeypatch.setattr(report_damage, "emit_facts", emit)
    blob = next(name for name in backup.contents() if "/3.txt/" in name)
    del backup.store.blobs[blob]
    with pytest.raises(CorruptStoreError, match=r"cannot be restored.*3\.txt \(n3\)"):
        await drill_restore.DrillRestoreOperator(task_id="f", groups=[{"sources": [ANN]}]).run(context(), None)
    with pytest.raises(CorruptStoreError, match=r"1 stored object of the backup is damaged.*3\.txt"):
        await report(context())
    [fact] = told
    assert (fact.kind, fact.object, fact.counts) == ("verify.damaged", ANN, {"damaged": 1})


async def report(told):
    group = {"sources": [ANN], "label": ANN}
    checked = [await check_listing.CheckListingOperator(task_id="b", group=group).run(told, None)]
    return await report_damage.ReportDamageOperator(task_id="e", checked=checked, read=None).run(told, None)


async def test_a_task_that_failed_fails_the_report(backup):
    with pytest.raises(SnapshotIncompleteError, match="check_listing_1"):
        await report(context(states={"check_listing_1": "failed"}))


def event(source, container="drive-backup"):
    uri = f"drive-backup://{container}/snapshots/{source}"
    return SimpleNamespace(asset=SimpleNamespace(uri=uri), extra={"source": source})


async def test_after_a_backup_its_sources_are_checked_and_no_drill_is_held(backup):
    events = {"asset": [event(ANN), event("user/bob@example.com", "another")], "alias": [event(ANN)]}
    told = context(events=events)
    [group] = await choose_snapshots.ChooseSnapshotsOperator(task_id="a").run(told, None)
    assert group == {"sources": [ANN], "label": ANN}
    with pytest.raises(AirflowSkipException):
        await drill_restore.DrillRestoreOperator(task_id="f", groups=[group]).run(told, None)


async def test_what_is_due_is_told_by_the_containers_clock(backup, monkeypatch):
    ahead = backup.clock.now() + timedelta(days=365)
    monkeypatch.setattr(SystemClock, "now", lambda _: ahead)
    await verify(context(read="sample"))
    (record,) = [name for name in backup.store.blobs if name.startswith("verified/")]
    assert record.endswith(f"-{backup.clock.now().toordinal():07d}.json")


async def another_night(backup):
    backup.clock.set(at("2026-03-02T00:10"))
    return (await backup.run("2026-03-02"))["manifest"]


@pytest.mark.parametrize("which", ["latest", "2026-03-02"])
async def test_a_newest_snapshot_that_cannot_be_read_fails_drill_and_report(backup, which):
    put(backup.store, await another_night(backup), b"{")
    with pytest.raises(CorruptStoreError, match=r"20260301T000000\.000Z is NOT the newest snapshot"):
        await drill_restore.DrillRestoreOperator(task_id="f", groups=[{"sources": [ANN]}]).run(context(), None)
    with pytest.raises(CorruptStoreError, match=r"20260302T000000\.000Z/manifest\.json is no manifest"):
        await report(context(snapshots=which))


async def test_where_no_snapshot_can_be_read_drill_and_report_say_so(backup):
    put(backup.store, "snapshots/user/ann@example.com/default/20260301T000000.000Z/manifest.json", b"{")
    with pytest.raises(CorruptStoreError, match="No complete snapshot of user"):
        await drill_restore.DrillRestoreOperator(task_id="f", groups=[{"sources": [ANN]}]).run(context(), None)
    with pytest.raises(CorruptStoreError, match="is no manifest"):
        await report(context(snapshots="latest"))


async def test_a_date_means_its_end_in_the_zone_of_the_schedule(backup):
    put(backup.store, await another_night(backup), b"{")
    group = {"sources": [ANN], "label": ANN}
    for zone, damaged in (("UTC", 0), ("America/New_York", 1)):
        check = check_listing.CheckListingOperator(task_id="b", group=group, time_zone=zone)
        assert (await check.run(context(snapshots="2026-03-01"), None))["found"]["count"] == damaged


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"snapshots": "20260301T000000.001Z"}, r"user/ann.*no snapshot 20260301T000000\.001Z"),
        ({"snapshots": "default~12345678/20260301T000000.000Z"}, "no series 'default~12345678'"),
        ({"snapshots": "2026-02-01"}, "no complete snapshot '2026-02-01'"),
        ({"sources": ["user/anne@example.com"]}, "no snapshot of user/anne@example.com"),
        ({"sources": [ANN, "user/anne@example.com"]}, "no snapshot of user/anne@example.com"),
    ],
)
async def test_who_asks_for_what_is_not_there_gets_no_green_run(backup, params, said):
    with pytest.raises(SnapshotIncompleteError, match=f"Not all was checked.*{said}"):
        await verify(context(drill_mb=1, **params))


async def test_a_source_that_has_no_such_snapshot_is_passed_over_beside_others(backup):
    backup.clock.set(at("2026-03-02T00:10"))
    await backup.run("2026-03-02", source="user/bob@example.com")
    done, _ = await verify(context(snapshots="20260302T000000.000Z"))
    assert done == {"checked": 5, "read": 5}


@pytest.mark.parametrize("broken", [ANN, "user/bob@example.com"])
async def test_a_source_that_cannot_be_drilled_keeps_no_other_from_it(backup, broken):
    backup.clock.set(at("2026-03-02T00:10"))
    await backup.run("2026-03-02", source="user/bob@example.com")
    tables = [name for name in backup.store.blobs if name.startswith(f"snapshots/{broken}/") and "items" in name]
    for name in tables:
        put(backup.store, name, backup.store.blobs[name][0][:-40] + bytes(40))
    drilled = []
    operator = drill_restore.DrillRestoreOperator(task_id="f", groups=[{"sources": [ANN, "user/bob@example.com"]}])
    one = operator._drill

    async def watched(store, manifest, *more):
        drilled.append(manifest.source)
        return await one(store, manifest, *more)

    operator._drill = watched
    with pytest.raises(CorruptStoreError, match=f"{broken}.*items-00000"):
        await operator.run(context(), None)
    assert sorted(drilled) == [ANN, "user/bob@example.com"]


@pytest.mark.parametrize(("which", "place"), [("all", ""), ("latest", "default/20260301T000000.000Z")])
async def test_what_is_checked_read_and_drilled_is_protected_meanwhile(backup, monkeypatch, which, place):
    seen = {}

    def watch(module, name):
        real = getattr(module, name)

        async def watched(store, *rest, **more):
            seen[name] = await read_readers(store, Source.parse(ANN))
            return await real(store, *rest, **more)

        monkeypatch.setattr(module, name, watched)

    watch(group, "check_source")
    watch(group, "read_again")
    watch(drill_restore, "drill")
    await verify(context(snapshots=which))
    verifying, drilling = "being verified by google_drive_verify/r", "being restored by the drill of r"
    assert seen == {
        "check_source": {place: (verifying,)},
        "read_again": {"": (verifying,)},
        "drill": {"default/20260301T000000.000Z": (drilling,)},
    }
    assert await read_readers(backup.store, Source.parse(ANN)) == {}
