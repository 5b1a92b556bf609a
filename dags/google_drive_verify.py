"""
### Check that what is backed up is still there, whole

**What it does.** Checks every snapshot: manifests and catalogues are what was written, and every blob that they refer to is
in the container with its length and MD5, from listings alone. Then it reads a share of the contents again and hashes them;
all shares together cover everything within `verification.period_days`. Unless it follows a backup, it also restores a sample
into a temporary folder, compares it with what Drive has now, and discards it. It runs after each backup, for its sources, and
weekly for everything.

**When it fails**, open the failed task's log: it ends with one sentence that says what to do.

| task | failed means | do |
|---|---|---|
| `choose_snapshots` | a connection or a param is wrong, or Blob is down | follow the sentence; clear the task |
| `check_listing`, `read_contents` | Blob is down | clear the task |
| `share_reading` | a task above failed | clear that one with its downstream |
| `drill_restore` | a sample could not be restored as it was, its log names the files; or Drive or Blob is down | as for damage, below; clear the task |
| `report` | **something is damaged**: its log names every file, its snapshots and what is wrong; or a task above failed; or a snapshot or source that the form names is not there | see below; correct the form |

**Damage.** 1. Find out what did it: who has the account's keys, and what was run. 2. If the account keeps versions or
soft-deleted blobs, restore the named blobs from there, and clear this run. 3. Run the backup: it copies again what Drive still
has, under a new name where the damaged blob is in the way. 4. Run this DAG again: damage that is told of and in no snapshot
that would be restored today does not fail it a second time.

**It is safe** to clear any task and to run it at any time. It writes nothing but records of what it found.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

from drive_backup_airflow.defaults import default_args
from drive_backup_airflow.notifier import DriveBackupNotifier
from drive_backup_airflow.operators.check_listing import CheckListingOperator
from drive_backup_airflow.operators.choose_snapshots import ChooseSnapshotsOperator
from drive_backup_airflow.operators.commit_snapshot import SNAPSHOTS
from drive_backup_airflow.operators.drill_restore import DrillRestoreOperator
from drive_backup_airflow.operators.read_contents import ReadContentsOperator
from drive_backup_airflow.operators.report_damage import ReportDamageOperator
from drive_backup_airflow.operators.share_reading import ShareReadingOperator
from include.drive_backup.settings import TAG, VERIFICATION_DAG_ID, Config, config_path, load
from include.drive_backup.verification.settings import VerificationSettings


def verification_params(settings: VerificationSettings) -> dict[str, Param]:
    """The trigger form."""
    return {
        "sources": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Only these sources",
            description="e.g. `user/ann@example.com`, one a line. Empty: all, or after a backup those it backed up.",
        ),
        "snapshots": Param(
            "all",
            type="string",
            title="Snapshots",
            description="`all`, `latest`, a snapshot's id (also as `SERIES/ID`), or a time: the newest complete one "
            f"then. A date means its end, in {settings.timezone}.",
        ),
        "read": Param(
            settings.read,
            type="string",
            enum=["none", "sample", "all"],
            title="Read again",
            description="`sample`: the share that is due today. `none`: listings alone.",
        ),
        "period_days": Param(
            settings.period_days,
            type="integer",
            minimum=1,
            maximum=366,
            title="Days in which samples cover everything",
        ),
        "drill_mb": Param(
            settings.drill_mb,
            type="integer",
            minimum=0,
            title="MB to restore as a drill",
            description="Of up to three sources, into a temporary folder of the worker. 0: none.",
        ),
    }


def timetable(settings: VerificationSettings) -> Any:
    """When it runs by itself."""
    cron = CronTriggerTimetable(settings.schedule, timezone=settings.timezone) if settings.schedule else None
    if not settings.after_backups:
        return cron
    return AssetOrTimeSchedule(timetable=cron, assets=SNAPSHOTS) if cron else SNAPSHOTS


def verification_dag(dag_id: str, config: Config) -> DAG:
    """The DAG of one container."""
    settings, notify = config.verification, DriveBackupNotifier.factory(config)
    with DAG(
        dag_id,
        description="Check what is backed up against what is stored",
        schedule=timetable(settings),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=config.limits.run_timeout_hours),
        tags=[TAG, "verification"],
        default_args=default_args(config),
        on_success_callback=notify("run.succeeded"),
        on_failure_callback=notify("run.failed"),
        doc_md=__doc__,
        params=verification_params(settings),
    ) as dag:
        choose = ChooseSnapshotsOperator(
            task_id="choose_snapshots",
            max_groups=config.limits.max_groups,
            on_execute_callback=notify("run.started"),
        )
        check = CheckListingOperator.partial(
            task_id="check_listing",
            batch_mb=settings.batch_mb,
            time_zone=settings.timezone,
            map_index_template="{{ task.group['label'] }}",
        ).expand(group=choose.output)
        share = ShareReadingOperator(
            task_id="share_reading", checked=check.output, trigger_rule="all_done_min_one_success"
        )
        read = ReadContentsOperator.partial(
            task_id="read_contents", map_index_template="{{ task.share['label'] }}"
        ).expand(share=share.output)
        drill = DrillRestoreOperator(task_id="drill_restore", groups=choose.output)
        report = ReportDamageOperator(task_id="report", checked=check.output, read=read.output, trigger_rule="all_done")
        drill >> report
    return dag


for _dag_id, _config in load(config_path()).container_dags(VERIFICATION_DAG_ID).items():
    globals()[_dag_id] = verification_dag(_dag_id, _config)
