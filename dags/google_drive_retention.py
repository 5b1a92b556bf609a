"""
### Delete old snapshots by rules

**What it does.** Judges every snapshot in the container by the keep rules in `include/drive_backup.yaml` (section
`retention`), deletes those that no rule keeps, then the content to which no snapshot refers any more. Then content moves to
cooler tiers by its age, as `retention.tiers` says. Without a keep rule nothing can go, without any rule nothing is
scheduled. **Triggered by hand it is a dry run**: the log of `plan_retention` is the plan;
switch `dry_run` off to delete.

**It asks first** when much would go (more than `brake_percent` of a source's bytes, or more than half of its snapshots), or
when the newest snapshots look as if the Drive was emptied or encrypted. Then `approve` waits: open *Required Actions* in
Airflow, read the plan, approve or reject. Rejected, nothing is deleted. Unanswered for `approval_hours`, it fails.

**When it fails**, open the failed task's log: it ends with one sentence that says what to do.

| task | failed means | do |
|---|---|---|
| `plan_retention` | a connection or a param is wrong, or Blob is down | follow the sentence; clear the task |
| `approve` | nobody has answered | look at the plan, run it again, and answer |
| `apply_retention` | Blob is down, a source could not be planned, or it needs an approval that it did not have. *Up for reschedule* is no failure: a backup holds a source, or all of it is being verified | clear the task; it does what is left. Of a source that could not be planned the next run makes a plan |
| `report` | a task above failed, or a damaged snapshot keeps content from being judged | mend that, then run it again |

**It is safe** to clear or kill any task: manifests go first, so no snapshot ever refers to what is missing. What Blob
Storage protects (immutability, legal holds) or will not move stays and is reported. `drive-backup hold` keeps a snapshot by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from drive_backup_airflow.defaults import default_args
from drive_backup_airflow.notifier import DriveBackupNotifier
from drive_backup_airflow.operators.apply_retention import ApplyRetentionOperator
from drive_backup_airflow.operators.approve_retention import PLAN_TASK, ApproveRetentionOperator
from drive_backup_airflow.operators.plan_retention import PlanRetentionOperator
from drive_backup_airflow.operators.report_retention import ReportRetentionOperator
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.settings import RETENTION_DAG_ID, TAG, Config, config_path, load


def retention_dag(dag_id: str, config: Config) -> DAG:
    """The DAG of one container."""
    settings, notify = config.retention, DriveBackupNotifier.factory(config)
    retention = settings.model_dump(mode="json")
    with DAG(
        dag_id,
        description="Delete old snapshots of Google Drive, and move old content to cooler tiers, by rules",
        schedule=timetable(settings),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=config.limits.run_timeout_hours + settings.approval_hours),
        tags=[TAG, "retention"],
        default_args=default_args(config),
        on_success_callback=notify("run.succeeded"),
        on_failure_callback=notify("run.failed"),
        doc_md=__doc__,
        params={
            "sources": Param(
                [],
                type=["null", "array"],
                items={"type": "string"},
                title="Only these sources",
                description="Globs such as `drive/*`, one a line. Empty: all that the container holds.",
            ),
            "dry_run": Param(
                True,  # noqa: FBT003 - Param's own signature
                type="boolean",
                title="Dry run",
                description="Only say what would be deleted and moved. Switch it off to do it. Scheduled runs do it.",
            ),
        },
    ) as dag:
        plan = PlanRetentionOperator(task_id=PLAN_TASK, retention=retention)
        approve = ApproveRetentionOperator(
            task_id="approve",
            subject="Delete more than usual?",
            response_timeout=timedelta(hours=settings.approval_hours),
            notifiers=[notify("approval.needed")],
        )
        applied = ApplyRetentionOperator.partial(
            task_id="apply_retention",
            retention=retention,
            answer=approve.output,
            map_index_template="{{ task.group['label'] }}",
        ).expand(group=plan.output)
        report = ReportRetentionOperator(
            task_id="report",
            done=applied.output,
            retention=retention,
            approval=approve.task_id,
            trigger_rule="all_done",
        )
        plan >> approve >> applied >> report
    return dag


def timetable(settings: RetentionSettings) -> CronTriggerTimetable | None:
    """When it runs by itself: only when somebody has said what to keep, or what to move."""
    if settings.schedule is None or not settings.active:
        return None
    return CronTriggerTimetable(settings.schedule, timezone=settings.timezone)


for _dag_id, _config in load(config_path()).container_dags(RETENTION_DAG_ID).items():
    globals()[_dag_id] = retention_dag(_dag_id, _config)
