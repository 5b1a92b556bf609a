"""The last task of a backup run: what it says of a source that stopped, also when something else went wrong."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from drive_backup_airflow.operators import report
from drive_backup_airflow.operators.report import ReportOperator
from drive_backup_airflow.params import own_params
from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.groups import run_work, write_groups
from include.drive_backup.handover import SourceTask
from include.drive_backup.settings import Job
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN, BOB = "user/ann@example.com", "user/bob@example.com"
INSTANT = "20260302T000000.000Z"


@pytest.fixture
async def backup(monkeypatch):
    """Bob was backed up yesterday."""
    made = Backup(FakeDrive(file("a.txt", b"a", id="a")))
    await made.run("2026-03-01", source=BOB)

    @asynccontextmanager
    async def open_store(*_):
        yield made.store

    async def quiet(*_, **__):
        return None

    monkeypatch.setattr(report, "open_store", open_store)
    monkeypatch.setattr(report, "emit_for_task_states", quiet)
    return made


async def run(backup, states):
    """A run that only finds Ann."""
    own = own_params(Job(sources=["users/*"]))
    tasks = [SourceTask(source=ANN, instant=INSTANT, run="r")]
    groups = await write_groups(backup.store, run_work("r"), tasks, (), max_groups=10)
    ti = SimpleNamespace(dag_id="d", get_task_states=lambda **_: {"r": states})
    context = {"params": {**own, "dry_run": False}, "run_id": "r", "ti": ti}
    operator = ReportOperator(task_id="report", groups=[group.to_dict() for group in groups], plans="", own_params=own)
    return await operator.run(context, None)


@pytest.mark.parametrize("states", [{}, {"list_source_0": "failed"}], ids=["alone", "a task failed, too"])
async def test_the_one_alarm_of_a_source_that_stopped_is_in_the_error(backup, states):
    """The next run only reports it, so what fails this one must say it, whatever else failed."""
    with pytest.raises(SnapshotIncompleteError, match=r"bob@example.com is not backed up any more.*settle") as caught:
        await run(backup, states)
    assert ("list_source_0" in str(caught.value)) == bool(states)
