"""The alert for a run that a person marks failed.

Airflow calls no callback for it, only listeners (``patch_dag_run_state`` in 3.3.2), in the API server
and within the request's transaction. So the event is sent from a thread, with plain values alone.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from airflow.listeners import hookimpl

from include.drive_backup.settings import TAG, Config, config_path, dag_id_of, load

#: What the scheduler says to listeners; it also calls the DAG's own callback (``models.dagrun.DagRun.update_state``,
#: ``SchedulerJobRunner._schedule_dag_run``).
CALLED_BACK = frozenset({"task_failure", "all_tasks_deadlocked", "timed_out"})

_PLAIN = ("dag_id", "run_id", "clear_number", "logical_date", "run_after", "start_date", "run_type", "conf")


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Called for every failed run of every DAG."""
    if msg in CALLED_BACK or TAG not in getattr(dag_run.dag, "tags", ()):
        return
    run = SimpleNamespace(**{name: getattr(dag_run, name, None) for name in _PLAIN})
    context = {
        "dag_run": run,
        "run_id": run.run_id,
        "logical_date": run.logical_date,
        "reason": "marked_failed",
    }
    threading.Thread(target=_alert, args=(context,), name="drive-backup-alert").start()


def _alert(context: dict[str, Any]) -> None:
    from airflow.sdk import DAG  # noqa: PLC0415 - plugins load in every process

    from drive_backup_airflow.notifier import DriveBackupNotifier  # noqa: PLC0415 - as above

    dag_id = context["dag_run"].dag_id
    # Further notifiers render their templates with the DAG's own environment: it must be a real one.
    told: Any = context | {"dag": DAG(dag_id, schedule=None)}
    DriveBackupNotifier.factory(config_of(dag_id))("run.failed").notify(told)


def config_of(dag_id: str) -> Config:
    """The config of the job behind a DAG; the file's shared part for any other DAG of ours."""
    loaded = load(config_path())
    jobs = (job for name, job in loaded.jobs.items() if dag_id_of(name) == dag_id)
    return next((loaded.config.of(job) for job in jobs), loaded.config)
