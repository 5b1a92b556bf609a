"""A run that a person marks failed: Airflow tells listeners alone, in the API server."""

import threading
from types import SimpleNamespace

import pytest
from airflow.sdk import BaseNotifier

from drive_backup_airflow import marked_failed
from drive_backup_airflow.notifier import DriveBackupNotifier

BY_HAND = "Dag Run's state was manually set to `failed`."


SAID = []


class Templated(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, *, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        SAID.append(self.text)


def tell(msg, dag_id="google_drive_backup", tags=("drive-backup",)):
    run = SimpleNamespace(dag_id=dag_id, run_id="run 1", clear_number=2, dag=SimpleNamespace(tags=set(tags)))
    marked_failed.on_dag_run_failed(dag_run=run, msg=msg)
    for thread in threading.enumerate():
        if thread.name == "drive-backup-alert":
            thread.join(20)


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What the notifiers were told, with the container of their outbox."""
    config = tmp_path / "drive_backup.yaml"
    config.write_text("jobs: {default: {}, own: {storage: {container: own-container}}}")
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    calls = []
    monkeypatch.setattr(
        DriveBackupNotifier, "notify", lambda self, context: calls.append((self.event, self.container, context))
    )

    def told(*args, **kwargs):
        tell(*args, **kwargs)
        return calls

    return told


@pytest.mark.parametrize(
    ("dag_id", "container"),
    [
        ("google_drive_backup", "drive-backup"),
        ("google_drive_backup_own", "own-container"),
        ("another_of_ours", "drive-backup"),
    ],
)
def test_it_alerts_as_the_job_is_configured(told, dag_id, container):
    [(event, used, context)] = told(BY_HAND, dag_id)
    assert (event, used) == ("run.failed", container)
    assert (context["run_id"], context["dag"].dag_id, context["reason"]) == ("run 1", dag_id, "marked_failed")
    assert context["dag_run"].clear_number == 2


@pytest.mark.parametrize("msg", ["task_failure", "timed_out", "all_tasks_deadlocked"])
def test_what_the_dags_own_callback_tells_is_not_told_again(told, msg):
    assert told(msg) == []


def test_dags_of_others_are_none_of_its_business(told):
    assert told(BY_HAND, "somebody_elses", tags=["etl"]) == []


def test_a_further_notifier_renders_its_templates(monkeypatch, tmp_path):
    config = tmp_path / "drive_backup.yaml"
    config.write_text(
        "connections: {events: null}\n"
        f"notifiers: [{{class: {__name__}.Templated, kwargs: {{text: '{{{{ dag.dag_id }}}} {{{{ run_id }}}}'}}}}]\n"
    )
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    SAID.clear()
    tell(BY_HAND)
    assert SAID == ["google_drive_backup run 1"]
