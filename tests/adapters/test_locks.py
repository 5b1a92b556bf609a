"""The lock of a run: all its tasks are one holder, and Airflow knows which other runs have ended."""

from types import SimpleNamespace

import pytest

from drive_backup_airflow.locks import RunLocks
from include.drive_backup.errors import SourceBusyError
from include.drive_backup.handover import SourceTask
from tests.support.memory_blob import MemoryBlobStore

TASK = SourceTask(source="user/ann@example.com", instant="20260301T000000.000Z", run="r")


def context(run_id, **states):
    def get_dagrun_state(dag_id, run_id):
        assert dag_id == "backup"
        return states[run_id]

    return {"ti": SimpleNamespace(dag_id="backup", get_dagrun_state=get_dagrun_state), "run_id": run_id}


async def held(store, run, **options):
    async with run.hold(TASK, **options):
        pass


async def test_the_tasks_of_a_run_share_it_and_another_run_waits():
    store = MemoryBlobStore()
    for _ in range(2):
        await held(store, RunLocks(store, context("one")))
    with pytest.raises(SourceBusyError, match="backup/one"):
        await held(store, RunLocks(store, context("two", one="running")))
    await held(store, RunLocks(store, context("one")), give_back=True)
    await held(store, RunLocks(store, context("two", one="running")))


@pytest.mark.parametrize("state", ["failed", "success"])
async def test_a_run_that_has_ended_is_not_waited_for(state):
    store = MemoryBlobStore()
    await held(store, RunLocks(store, context("one")))
    await held(store, RunLocks(store, context("two", one=state)))


async def test_a_run_that_airflow_does_not_know_is_waited_for():
    store = MemoryBlobStore()
    await held(store, RunLocks(store, context("one")))
    with pytest.raises(SourceBusyError):
        await held(store, RunLocks(store, context("two")))


async def test_a_dry_run_needs_none():
    store = MemoryBlobStore()
    async with RunLocks(store, context("one")).hold(SourceTask(**{**TASK.to_dict(), "dry_run": True})) as possession:
        await possession.confirm()
        possession.ensure()
    assert store.blobs == {}
