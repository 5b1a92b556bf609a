"""Retention through real Airflow: a dry run, the question to a person through REST, and the deletion."""

import pytest

from include.drive_backup.settings import RETENTION_DAG_ID
from tests.support.check_backup import check_contents, read_snapshot


@pytest.fixture
def source(backups):
    """A folder of its own with three snapshots, so that no other test loses one."""
    folder = backups.create("Retention", mime_type="application/vnd.google-apps.folder")["id"]
    for number in range(3):
        backups.create(f"kept {number}.txt", text=f"retention {number}", parent=folder)
        assert backups.run(sources=[f"folder/{folder}"])[1] == "success"
    backups.api.unpause(RETENTION_DAG_ID)
    return f"folder/{folder}"


def test_it_shows_asks_and_deletes(backups, source):
    assert len(backups.snapshots(source)) == 3
    run_id = backups.api.trigger(RETENTION_DAG_ID, {"sources": [source]})
    assert backups.wait(run_id, dag_id=RETENTION_DAG_ID) == "success"
    lines, _ = backups.lines(run_id, "plan_retention", dag_id=RETENTION_DAG_ID)
    assert any(f"{source}: 2 snapshots of 3 would go" in line for line in lines)
    assert len(backups.snapshots(source)) == 3

    for option, left in (("Reject", 3), ("Approve", 1)):
        run_id = backups.api.trigger(RETENTION_DAG_ID, {"sources": [source], "dry_run": False})
        backups.answer(run_id, option)
        assert backups.events(run_id, "approval.needed")
        assert backups.wait(run_id, dag_id=RETENTION_DAG_ID) == "success"
        assert len(backups.snapshots(source)) == left
    [name] = backups.snapshots(source)
    _, rows = read_snapshot(backups.container, name.manifest)
    assert check_contents(backups.container, {ident: row for ident, row in rows.items() if row["contents"]}) == 3
