"""The tasks of a restore into another container one after the other, and what the trigger form may say."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from drive_backup_airflow.operators import restore
from drive_backup_airflow.restore_params import restore_params, restore_task
from include.drive_backup.errors import ConfigError, SnapshotIncompleteError, SnapshotNotFoundError
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import write_people
from include.drive_backup.model import Series, Source
from include.drive_backup.protection import read_readers
from include.drive_backup.restore.person import of_person
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder

ANN = "user/ann@example.com"
ANYWHERE = {"containers": ["*"]}


@pytest.fixture
async def backup():
    made = Backup(FakeDrive(folder("Docs", file("a.txt", b"a", id="a")), file("b.txt", b"b", id="b")))
    await made.run("2026-03-01")
    return made


@pytest.fixture
def opened(backup, monkeypatch):
    """The connection and the container of each target that was opened, and the target."""
    target, calls = MemoryTargetStore(), []

    @asynccontextmanager
    async def open_store(*_):
        yield backup.store

    @asynccontextmanager
    async def open_target_store(*where):
        calls.append(where)
        yield target

    async def quiet(*_, **__):
        return None

    monkeypatch.setattr(restore, "open_store", open_store)
    monkeypatch.setattr(restore, "open_target_store", open_target_store)
    monkeypatch.setattr(restore, "emit_for_task_states", quiet)
    return SimpleNamespace(target=target, calls=calls)


def context(**params):
    values = {name: param.resolve() for name, param in restore_params().items()} | {"source": ANN} | params
    pushed = {}
    run = SimpleNamespace(conf=params, run_type="manual", clear_number=0)
    ti = SimpleNamespace(
        dag_id="d",
        run_id="r",
        task_id="t",
        map_index=-1,
        xcom_push=lambda key, value: pushed.__setitem__(key, value),
        get_task_states=lambda **_: {"r": {}},
    )
    dag = SimpleNamespace(dag_id="d", params=values)
    return {"params": values, "dag_run": run, "dag": dag, "ti": ti, "run_id": "r", "pushed": pushed}


async def bring_back(told):
    batches = await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(told, None)
    for batch in batches:
        await restore.RestoreBatchOperator(task_id="b", batch=batch).run(told, None)
    plan = restore.json.dumps(told["pushed"][restore.PLAN])
    assert await restore.RestoreShortcutsOperator(task_id="c", plan=plan).run(told, None) == {}
    return await restore.RestoreReportOperator(task_id="d", plan=plan).run(told, None)


async def test_a_snapshot_goes_into_another_container_without_google(opened):
    counts = await bring_back(context(to="container/other/safe", to_conn_id="elsewhere"))
    assert opened.target.files() == {"safe/Docs/a.txt": b"a", "safe/b.txt": b"b"}
    assert (counts["restored"], counts["missing"]) == (2, 0)
    assert set(opened.calls) == {("elsewhere", "other")}


async def test_without_a_connection_it_is_the_backups_account(opened):
    await bring_back(context(to="container/other", paths=["/b.txt"]))
    assert opened.target.files() == {"b.txt": b"b"}
    assert set(opened.calls) == {("drive_backup_blob", "other")}


async def test_a_dry_run_writes_nothing_and_still_refuses_a_backup(opened, backup):
    told = context(to="container/other", dry_run=True)
    assert await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(told, None) == []
    assert opened.target.blobs == {}
    opened.target.blobs = backup.store.blobs
    with pytest.raises(ConfigError, match="holds a backup"):
        await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(told, None)


async def test_what_is_lost_fails_the_report(opened, backup):
    [blob] = [name for name in backup.store.blobs if "/b.txt/" in name]
    told = context(to="container/other")
    batches = await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(told, None)
    backup.store.blobs.pop(blob)
    with pytest.raises(Exception, match=r"b\.txt"):
        await restore.RestoreBatchOperator(task_id="b", batch=batches[0]).run(told, None)
    plan = restore.json.dumps(told["pushed"][restore.PLAN])
    with pytest.raises(SnapshotIncompleteError, match="1 failed"):
        await restore.RestoreReportOperator(task_id="d", plan=plan).run(told, None)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"to": "container/"}, "container/NAME"),
        ({"to": "container/x/snapshots"}, "its own blobs"),
        ({"to": "container/x", "merge": True, "act_as": "ann@example.com"}, "merge, act_as"),
        ({"to": "container/x", "permissions": True}, "permissions"),
        ({"to": "folder/x", "to_conn_id": "elsewhere"}, "to_conn_id"),
        ({"to": "shared/ann@example.com"}, "shared with a user"),
    ],
)
def test_a_form_that_cannot_be_meant_is_refused(params, said):
    with pytest.raises(ConfigError, match=said):
        restore_task(context(**params))


def test_an_empty_place_is_still_the_one_in_drive():
    task = restore_task(context())
    assert (task.to, task.subject, task.place) == (ANN, Source.parse(ANN).user, None)


async def test_the_snapshot_is_protected_from_the_plan_to_the_report(opened, backup):
    told = context(to="container/elsewhere")
    batches = await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE, protect_hours=30).run(told, None)
    readers = await read_readers(backup.store, Source.parse(ANN))
    assert readers == {"default/20260301T000000.000Z": ("being restored by google_drive_restore/r",)}
    (record,) = [info for name, (_, info) in backup.store.blobs.items() if name.startswith("reading/")]
    assert record.metadata["seconds"] == str(30 * 3600)
    plan = restore.json.dumps(told["pushed"][restore.PLAN])
    with pytest.raises(SnapshotIncompleteError):
        await restore.RestoreReportOperator(task_id="c", plan=plan).run(told, None)
    assert await read_readers(backup.store, Source.parse(ANN)) == readers, "what failed can be cleared"
    for batch in batches:
        await restore.RestoreBatchOperator(task_id="b", batch=batch).run(told, None)
    await restore.RestoreReportOperator(task_id="c", plan=plan).run(told, None)
    assert await read_readers(backup.store, Source.parse(ANN)) == {}


async def test_a_plan_that_fails_protects_nothing(opened, backup):
    with pytest.raises(SnapshotNotFoundError):
        await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(
            context(to="container/elsewhere", paths=["/no/such"]), None
        )
    assert not [name for name in backup.store.blobs if name.startswith("reading/")]


async def test_a_dry_run_protects_nothing(opened, backup):
    await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(
        context(to="container/elsewhere", dry_run=True), None
    )
    assert not [name for name in backup.store.blobs if name.startswith("reading/")]


async def test_the_report_says_that_the_snapshot_was_deleted_meanwhile(opened, backup):
    told = context(to="container/elsewhere")
    for batch in await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(told, None):
        await restore.RestoreBatchOperator(task_id="b", batch=batch).run(told, None)
    plan = told["pushed"][restore.PLAN]
    backup.store.blobs.pop(plan["manifest"])
    with pytest.raises(SnapshotIncompleteError, match="was deleted while it was being restored"):
        await restore.RestoreReportOperator(task_id="c", plan=restore.json.dumps(plan)).run(told, None)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_the_plan_says_that_newer_snapshots_are_not_complete(opened, backup, monkeypatch, dry_run):
    said = []
    monkeypatch.setattr(restore.PlanRestoreOperator, "_note", lambda _, text: said.append(text))
    backup.clock.set(at("2026-03-02T00:10"))
    backup.drive.incomplete = True
    assert (await backup.run("2026-03-02"))["status"] == "partial"
    await restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE).run(
        context(to="container/elsewhere", dry_run=dry_run), None
    )
    assert any("20260302T000000.000Z" in text for text in said if text)


async def another_night(backup):
    backup.clock.set(at("2026-03-02T00:10"))
    backup.drive.write("b", b"newer", "2026-03-02T00:00:00.000Z")
    return (await backup.run("2026-03-02"))["manifest"]


@pytest.mark.parametrize("which", ["latest", "2026-03-02"])
async def test_an_older_snapshot_in_place_of_a_damaged_one_is_restored_and_fails_the_report(opened, backup, which):
    backup.store.blobs.pop((await another_night(backup)).replace("manifest.json", "items-00000.parquet"))
    with pytest.raises(SnapshotIncompleteError, match=r"20260301T000000\.000Z is NOT the newest snapshot"):
        await bring_back(context(to="container/other", snapshot=which))
    assert opened.target.files()["b.txt"] == b"b"


async def test_a_date_means_its_end_in_the_zone_of_the_form(opened, backup):
    await another_night(backup)
    await bring_back(context(to="container/utc", snapshot="2026-03-01"))
    assert opened.target.files()["b.txt"] == b"b"
    await bring_back(
        context(to="container/other", snapshot="2026-03-01", time_zone="America/New_York", paths=["/b.txt"])
    )
    assert b"newer" in opened.target.files().values()
    assert restore_params("Europe/Berlin")["time_zone"].resolve() == "Europe/Berlin"
    with pytest.raises(ConfigError, match="'Mars' is no time zone"):
        await bring_back(context(to="container/other", time_zone="Mars"))


@pytest.mark.parametrize("dry_run", [False, True])
async def test_the_plan_says_that_a_snapshot_was_selected_by_hand(opened, backup, monkeypatch, dry_run):
    said = []
    monkeypatch.setattr(restore.PlanRestoreOperator, "_note", lambda _, text: said.append(text))
    series = Series.narrowed_name("default", "x")
    await backup.run("2026-03-01T12:00", include=("b.txt",), series=series)
    told = {"to": "container/elsewhere", "dry_run": dry_run}
    plan = restore.PlanRestoreOperator(task_id="a", allowed=ANYWHERE)
    await plan.run(context(**told, snapshot="20260301T120000.000Z"), None)
    [text] = filter(None, said)
    assert "selected by hand (include b.txt instead of no include): it holds 1 item" in text
    said.clear()
    await plan.run(context(**told), None)
    assert not [*filter(None, said)]


@pytest.mark.parametrize("written", ["user/ann@example.com", "user/anne@example.com"])
async def test_the_history_of_somebody_renamed_goes_back_to_the_address_of_now(backup, written):
    ann = Person(name="ann@example.com", address="anne@example.com", former=("ann@example.com",), permission_id="p1")
    assert await write_people(backup.store, 0, People([ann]), "run", backup.clock)
    task, _ = await of_person(backup.store, restore_task(context(source=written)))
    assert (task.source, task.to, task.subject) == (ANN, "user/anne@example.com", "anne@example.com")
    task, _ = await of_person(backup.store, restore_task(context(source=written, to="user/bob@example.com")))
    assert (task.source, task.to, task.subject) == (ANN, "user/bob@example.com", "bob@example.com")
    task, _ = await of_person(backup.store, restore_task(context(source=written, to="container/x")))
    assert (task.source, task.to) == (ANN, "container/x")
