"""Tasks store and compare times of the container's clock, whatever the clock of their worker says."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from drive_backup_airflow.operators import commit_snapshot, copy_batch, list_source, plan_batches
from drive_backup_airflow.params import check_clock
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.groups import SourceGroup
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GROUP = SourceGroup(work="work/run/r/t", number=1, of=1, parts=1, sources=1, label="ann").to_dict()


@pytest.fixture
def store(monkeypatch):
    made = MemoryBlobStore()
    made.clock = FakeClock(NOW)

    @asynccontextmanager
    async def opened(*_arguments, **_options):
        yield made

    for module in (commit_snapshot, copy_batch, list_source, plan_batches):
        monkeypatch.setattr(module, "open_store", opened)
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW + timedelta(days=365))
    return made


def heard(monkeypatch, module, name, answer):
    """The clocks that a function of the core is given by a task."""
    clocks = []

    async def hear(*arguments, **options):
        clocks.extend(each for each in (*arguments, *options.values()) if hasattr(each, "monotonic"))
        return answer

    monkeypatch.setattr(module, name, hear)
    return clocks


def near(clocks):
    return [abs(clock.now() - NOW) < timedelta(minutes=1) for clock in clocks] == [True]


CONTEXT = {"run_id": "r", "ti": SimpleNamespace(xcom_push=lambda **_: None)}


async def test_a_listing(store, monkeypatch):
    clocks = heard(monkeypatch, list_source, "list_group", {})
    monkeypatch.setattr(list_source, "RunLocks", lambda *_: None)
    await list_source.ListDriveSourceOperator(task_id="a", group=GROUP).run(CONTEXT, None)
    assert near(clocks)


async def test_a_plan(store, monkeypatch):
    clocks = heard(monkeypatch, plan_batches, "plan_run", ("place", []))
    await plan_batches.PlanBatchesOperator(task_id="b", groups=[], export_formats={}).run(CONTEXT, None)
    assert near(clocks)


async def test_a_batch(store, monkeypatch):
    @asynccontextmanager
    async def open_drive(*_arguments, **_options):
        yield None

    clocks = heard(monkeypatch, copy_batch, "copy_batch", {})
    monkeypatch.setattr(copy_batch, "open_shared_drive", open_drive)
    operator = copy_batch.DriveToBlobBatchOperator(task_id="c", copies={})
    batch = SimpleNamespace(task=None)
    await operator._copy(store, batch, resume=False, cleared=False, stop=None)
    assert near(clocks)


async def test_a_commit(store, monkeypatch):
    async def account(*_):
        return None

    async def plans(*_):
        task = SimpleNamespace(dry_run=False)
        return [SimpleNamespace(listing=SimpleNamespace(task=task))]

    clocks = heard(monkeypatch, commit_snapshot, "commit_group", ([{"manifest": "m", "created": False}], []))
    monkeypatch.setattr(commit_snapshot, "storage_account_id", account)
    monkeypatch.setattr(commit_snapshot, "read_plans", plans)
    monkeypatch.setattr(commit_snapshot, "push_location", lambda *_, **__: None)
    monkeypatch.setattr(commit_snapshot, "RunLocks", lambda *_: SimpleNamespace(hold_last=None))
    monkeypatch.setattr(commit_snapshot, "emit_facts", heard_nothing)
    await commit_snapshot.CommitSnapshotOperator(task_id="d", group=GROUP, plans="p").run(CONTEXT, None)
    assert near(clocks)


async def heard_nothing(*_arguments, **_options):
    """Send no events."""


def test_a_run_that_is_ahead_of_the_container_is_refused():
    check_clock(NOW + timedelta(minutes=4), NOW)
    with pytest.raises(ConfigError, match="Set the clocks of the machines"):
        check_clock(NOW + timedelta(minutes=6), NOW)
