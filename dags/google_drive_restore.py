"""
### Restore a backup into Google Drive, or into another Blob container

**What it does.** Brings a snapshot, or a part of it, back into Drive: into a new folder of a user, a shared drive or a
folder, unless the form says otherwise. Nothing that is in Drive already is deleted. Trigger it by hand and fill in the
form; try `dry_run` first. The Google connection needs the scope `https://www.googleapis.com/auth/drive`, see
`docs/setup-google-azure.md`. With `to` = `container/NAME` the files go into another Blob container, and Google is not asked
for anything.

**Where it may go** is what the config allows (`restore.places`, `restore.containers`, `restore.act_as`): by itself only back
to where it came from. With `restore.approval` the task `approve` waits for a second person: under *Required Actions*.

**When it fails**, open the failed task's log: it ends with one sentence that says what to do.

| task | failed means | do |
|---|---|---|
| `approve` | the config does not allow what the form asks for, nobody agreed in time, or the person who triggered the run answered | follow the sentence; trigger again |
| `plan_restore` | a param is wrong, there is no such snapshot, path or place, or the connection may not write | follow the sentence; clear the task, or trigger again |
| `rehydrate` | the connection may not write to Blob, or Blob is down. *Deferred* is no failure: it waits for the archive tier, up to 15 hours | follow the sentence; clear the task |
| `restore_batch` | items could not be restored after all tries | mend the cause; clear the task: only what is missing is restored |
| `restore_shortcuts` | as above, for shortcuts | clear the task |
| `report` | something of what was asked for is not there: failed, or never saved by the backup | the log names the report, which has every item; clear the failed tasks with their downstream |

**It is safe** to clear any task, and to trigger the same restore again: what this restore made in Drive carries a mark, is
found by it and is not made twice; in a container, what is there with the same bytes is not written again. docs/restore.md says what comes back and what does not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from drive_backup_airflow.defaults import default_args
from drive_backup_airflow.notifier import DriveBackupNotifier
from drive_backup_airflow.operators.approve_restore import ApproveRestoreOperator
from drive_backup_airflow.operators.config_problem import ConfigProblemOperator
from drive_backup_airflow.operators.rehydrate import RehydrateContentOperator
from drive_backup_airflow.operators.restore import (
    PLAN,
    PlanRestoreOperator,
    RestoreBatchOperator,
    RestoreReportOperator,
    RestoreShortcutsOperator,
)
from drive_backup_airflow.restore_params import restore_params
from include.drive_backup.schedules import common_zone
from include.drive_backup.settings import POOL, TAG, Job, config_path, load

_loaded = load(config_path())
_config = _loaded.config
_limits, _allowed = _config.limits, _config.restore
_notify = DriveBackupNotifier.factory(_config)
_quota = _config.quota("restore", Job())
#: Hours that a run may wait for the archive tier, beside the time that all runs may take: Azure takes up to 15.
_REHYDRATION = 24
#: Hours that it may wait for a person.
_WAITING = 0.0 if _allowed.approval == "never" else _allowed.approval_hours

with DAG(
    dag_id="google_drive_restore",
    description="Restore a backup into Google Drive or another Blob container",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=_limits.run_timeout_hours + _REHYDRATION + _WAITING),
    tags=[TAG, "restore"],
    params=restore_params(common_zone(job.timezone for job in _loaded.jobs.values())),
    doc_md=__doc__,
    on_success_callback=_notify("run.succeeded"),
    on_failure_callback=_notify("run.failed"),
    default_args=default_args(_config, quota=_quota, attempts=_limits.attempts),
) as google_drive_restore:
    if problem := next(iter(_loaded.problems.values()), None) if not _loaded.jobs else None:
        ConfigProblemOperator(task_id="config_problem", problem=problem, retries=0)
    else:
        approve = None
        if _allowed.approval != "never":
            approve = ApproveRestoreOperator(
                task_id="approve",
                subject="Restore this?",
                allowed=_allowed.model_dump(mode="json"),
                response_timeout=timedelta(hours=_allowed.approval_hours),
                notifiers=[_notify("approval.needed")],
            )
        plan = PlanRestoreOperator(
            task_id="plan_restore",
            allowed=_allowed.model_dump(mode="json"),
            answer=approve.output if approve else None,
            pool=POOL,
            protect_hours=_limits.run_timeout_hours + _REHYDRATION,
            on_execute_callback=_notify("run.started"),
        )
        # A template, because an XComArg fails the task when the plan failed and left nothing.
        place = f"{{{{ ti.xcom_pull(task_ids='{plan.task_id}', key='{PLAN}') | tojson }}}}"
        rehydrate = RehydrateContentOperator(task_id="rehydrate", plan=place)
        batches = RestoreBatchOperator.partial(
            task_id="restore_batch", pool=POOL, map_index_template="{{ task.batch['label'] }}"
        ).expand(batch=plan.output)
        shortcuts = RestoreShortcutsOperator(
            task_id="restore_shortcuts", plan=place, pool=POOL, trigger_rule="all_done"
        )
        report = RestoreReportOperator(task_id="report", plan=place, trigger_rule="all_done")
        if approve:
            approve >> plan
        plan >> rehydrate >> batches >> shortcuts >> report
