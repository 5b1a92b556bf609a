"""A restore from the archive: the operator asks and defers, the trigger waits, the operator looks again."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from drive_backup_airflow.operators import rehydrate, restore
from drive_backup_airflow.operators.rehydrate import RehydrateContentOperator
from drive_backup_airflow.operators.restore import PLAN, PlanRestoreOperator
from drive_backup_airflow.restore_params import restore_params
from drive_backup_airflow.retry import PermanentTaskProblem
from drive_backup_airflow.triggers import rehydrated
from drive_backup_airflow.triggers.rehydrated import RehydratedTrigger
from include.drive_backup.errors import CredentialsError, ServiceUnavailableError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.batches import RestoreBatch, RestoreOrder, RestorePlan, RestoreTask
from include.drive_backup.restore.drive_target import DriveTarget
from include.drive_backup.restore.orders import ordered_rows
from include.drive_backup.restore.run import FILES
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.work import PartWriter
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"
WORK = "work/restore/run/1"


async def plan_of(store, priority="standard"):
    """What ``plan_restore`` leaves: the orders of one batch, and the plan that names it."""
    manifest = await SnapshotRepository(store).find(Source.parse(ANN))
    wanted = await select(store, manifest, Selection())
    async with PartWriter[RestoreOrder](store, f"{WORK}/orders/batch-00000-") as writer:
        async for row in ordered_rows(store, manifest, wanted, FILES):
            await writer.write(RestoreOrder(row=row, parent="p"))
    target = DriveTarget(folder_id="f", key="k")
    batch = RestoreBatch(
        task=RestoreTask(source=ANN, to=ANN, run="run"),
        target=target,
        snapshot=manifest.name.ident,
        work=WORK,
        batch="batch-00000",
        parts=writer.parts,
        items=writer.rows,
        bytes=2,
        label="batch",
    )
    return RestorePlan(
        work=WORK, manifest=manifest.name.manifest, items=2, bytes=2, priority=priority, batches=(batch,)
    )


@pytest.fixture
def store(monkeypatch):
    made = Backup(FakeDrive(file("a.txt", b"a", id="a"), file("b.txt", b"b", id="b")))
    asyncio.run(made.run())

    @asynccontextmanager
    async def opened(*_):
        yield made.store

    for module in (rehydrate, rehydrated, restore):
        monkeypatch.setattr(module, "open_store", opened)
    return made.store


@pytest.fixture
def old(store):
    [name] = [name for name in store.blobs if name.startswith("content/") and "/a.txt/" in name]
    asyncio.run(store.set_tier([name], "archive"))
    return name


def operator(store, **options):
    plan = asyncio.run(plan_of(store, **options))
    return RehydrateContentOperator(task_id="rehydrate", plan=json.dumps(plan.to_dict()))


async def fire(trigger, seconds=20):
    """The triggerer's part: run until the event."""
    async with asyncio.timeout(seconds):
        return [event async for event in trigger.run()]


def revived(trigger, poll_seconds=0.01):
    """As the triggerer makes it, of what was serialized; it may import nothing but that path."""
    from airflow.sdk._shared.module_loading import import_string

    path, arguments = trigger.serialize()
    cls = import_string(path)
    assert cls is RehydratedTrigger
    return cls(**{**arguments, "poll_seconds": poll_seconds})


def test_nothing_archived_means_no_waiting(store):
    assert operator(store).execute({}) == 0
    assert store.calls["tier"] == 0


@pytest.mark.parametrize("plan", ["{}", "null"])
def test_a_dry_run_asks_for_nothing(store, old, plan):
    before = store.calls["tier"]
    assert RehydrateContentOperator(task_id="rehydrate", plan=plan).execute({}) == 0
    assert store.calls["tier"] == before


def test_it_asks_once_is_deferred_and_ends_when_the_content_can_be_read(store, old):
    task = operator(store, priority="high")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    assert store.pending == {old: ("hot", "high")}
    assert deferred.value.method_name == "look_again"
    trigger = revived(deferred.value.trigger)

    async def hours():
        waiting = asyncio.create_task(fire(trigger))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        store.rehydrate()
        return await waiting

    [event] = asyncio.run(hours())
    assert task.look_again({}, event.payload) == 0
    assert asyncio.run(store.read(old)) == b"a"


def test_a_look_that_comes_too_soon_waits_again_and_pays_nothing(store, old):
    task = operator(store)
    for look in (lambda: task.execute({}), lambda: task.look_again({}, {})):
        with pytest.raises(TaskDeferred):
            look()
    # One call made it archived.
    assert store.calls["tier"] == 2


def test_what_azure_will_not_rehydrate_is_left_to_fail_as_a_file(store, old):
    store.fixed = {old}
    assert operator(store).execute({}) == 1


def test_a_bad_credential_ends_the_task_with_a_sentence(store, old):
    task = operator(store)

    def refuse(phase, operation, name):
        if operation == "tier":
            raise CredentialsError("The identity may not write.")

    store.fault = refuse
    with pytest.raises(PermanentTaskProblem, match="may not write"):
        task.execute({})


async def test_the_trigger_outlives_a_blob_storage_that_is_down(store, monkeypatch):
    [name] = [name for name in store.blobs if name.startswith("content/") and "/a.txt/" in name]
    await store.set_tier([name], "archive")
    await store.set_tier([name], "hot")
    parts = await rehydrate.write_names(store, f"{WORK}/archived-", [name])
    trigger = RehydratedTrigger(
        blob_conn_id="b", container="c", prefix=f"{WORK}/archived-", parts=parts, poll_seconds=0.01
    )
    down = iter(range(3))

    def fault(phase, operation, name):
        if operation == "head" and next(down, None) is not None:
            raise ServiceUnavailableError("Blob is down.", service="blob")
        if operation == "head" and phase == "before":
            store.rehydrate()

    store.fault = fault
    assert len(await fire(trigger)) == 1
    assert next(down, "used up") == "used up"


async def test_the_trigger_leaves_a_lasting_problem_to_the_task(store):
    def refuse(phase, operation, name):
        raise CredentialsError("The key is wrong.")

    store.fault = refuse
    trigger = RehydratedTrigger(blob_conn_id="b", container="c", prefix="p", parts=1, poll_seconds=0.01)
    assert len(await fire(trigger)) == 1


async def test_a_dry_run_of_the_restore_says_how_much_is_archived(store, caplog):
    [name] = [name for name in store.blobs if name.startswith("content/") and "/a.txt/" in name]
    await store.set_tier([name], "archive")
    params = {key: param.value for key, param in restore_params().items()} | {"source": ANN, "dry_run": True}
    ti = SimpleNamespace(pushed={}, xcom_push=lambda key, value: ti.pushed.update({key: value}))
    context = {
        "params": params,
        "run_id": "run",
        "ti": ti,
        "dag": SimpleNamespace(params=params),
        "dag_run": SimpleNamespace(conf={}),
    }
    task = PlanRestoreOperator(task_id="plan")
    lines = []
    task.log.info = lambda message, *arguments: lines.append(message % arguments)
    assert await task.run(context, None) == []
    assert ti.pushed == {PLAN: {}}
    assert any("In the archive tier: 1 file, 1 B" in line for line in lines)
    assert store.calls["tier"] == 1
