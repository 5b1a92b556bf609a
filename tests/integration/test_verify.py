"""Verification through real Airflow: a backup's snapshots trigger it."""

import time

import pytest

from include.drive_backup.settings import VERIFICATION_DAG_ID as VERIFY


@pytest.fixture
def watched(backups):
    """The verification is on for one test: it need not follow the backups of all others."""
    backups.api.unpause(VERIFY)
    yield
    backups.api.call("PATCH", f"/dags/{VERIFY}", json={"is_paused": True})


def triggered_by_backup(backups, timeout=600):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        runs = [run for run in backups.api.runs(VERIFY) if run["run_type"] == "asset_triggered"]
        if runs:
            return runs[0]["dag_run_id"]
        time.sleep(0.5)
    raise AssertionError(f"No backup triggered a verification: {backups.api.runs(VERIFY)}")


def test_a_backup_is_verified_when_it_has_committed(backups, watched):
    backups.create("to be verified.txt", text="precious")
    _, state = backups.run()
    assert state == "success"
    run = triggered_by_backup(backups)
    assert backups.wait(run, dag_id=VERIFY) == "success"
    assert backups.api.xcom(VERIFY, run, "report", map_index=-1)["checked"] > 250
