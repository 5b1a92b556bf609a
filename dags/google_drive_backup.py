"""
### Back up Google Drive to Azure Blob Storage

**What it does.** Finds the sources (`users/*` and the like anew at each run), lists each, plans what must be copied,
copies it in batches, commits one immutable snapshot per source, and reports. Sources, schedule and limits are in
`include/drive_backup.yaml`; the trigger form overrides them for one run. If somebody
changes a filter, the trash or the details in the form, the run makes snapshots of a separate series. They never stand for
what the job saves.

**When it fails**, open the failed task's log: it ends with one sentence that says what to do.

| task | failed means | do |
|---|---|---|
| `resolve_sources` | a connection, the container or a param is wrong, users or shared drives may not be listed, or the vault is down | follow the sentence; clear the task |
| `list_source` | a source does not exist or may not be read, or Drive is down; the task's other sources are listed | follow the sentence; clear the task: only what is missing is listed |
| `plan_batches` | Blob is down | clear the task |
| `copy_batch` | files could not be copied after all tries | clear the task: only what is missing is copied |
| `commit_snapshot` | Blob is down | clear the task |
| `report` | a snapshot is **partial**, a source has none, or a task above failed | mend the cause, then clear the failed task with its downstream, or wait for the next run, which completes it |

**It is safe** to clear any task and to run any instant again: nothing that is stored is overwritten or stored twice.

**Backfill**: `airflow backfill create --dag-id google_drive_backup --from-date 2026-11-01 --to-date 2026-11-03
--max-active-runs 1`. Every run backs up the Drive as of the end of its own data interval, as far as Drive still can tell.
One run at a time: of one source only one can write, and the others would occupy workers while they wait.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, CronDataIntervalTimetable

from drive_backup_airflow.defaults import default_args
from drive_backup_airflow.notifier import DriveBackupNotifier
from drive_backup_airflow.operators.commit_snapshot import SNAPSHOTS, CommitSnapshotOperator
from drive_backup_airflow.operators.config_problem import ConfigProblemOperator
from drive_backup_airflow.operators.copy_batch import DriveToBlobBatchOperator
from drive_backup_airflow.operators.list_source import ListDriveSourceOperator
from drive_backup_airflow.operators.plan_batches import PLANS, PlanBatchesOperator
from drive_backup_airflow.operators.report import ReportOperator
from drive_backup_airflow.operators.resolve_sources import ResolveSourcesOperator
from drive_backup_airflow.params import backup_params, own_params
from include.drive_backup.settings import POOL, TAG, Config, Job, config_path, dag_id_of, load


def dag_args(name: str, config: Config, job: Job) -> dict[str, Any]:
    """What every DAG of ours has."""
    notify = DriveBackupNotifier.factory(config)
    return {
        "dag_id": dag_id_of(name),
        "start_date": datetime.combine(job.start_date, time(), ZoneInfo(job.timezone)),
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=config.limits.run_timeout_hours),
        "tags": [TAG, "backup", *job.tags],
        "default_args": default_args(
            config,
            owner=job.owner,
            quota=config.quota(name, job),
            attempts=config.limits.attempts,
            execution_timeout=timedelta(hours=1),
        ),
        "on_success_callback": notify("run.succeeded"),
        "on_failure_callback": notify("run.failed"),
    }


def backup_dag(name: str, config: Config, job: Job) -> DAG:
    """The DAG of one job."""
    limits, own = config.limits, own_params(job)
    with DAG(
        **dag_args(name, config, job),
        description="Back up Google Drive to Azure Blob Storage",
        schedule=CronDataIntervalTimetable(job.schedule, timezone=job.timezone) if job.schedule else None,
        params=backup_params(job),
        doc_md=__doc__,
    ) as dag:
        resolve = ResolveSourcesOperator(
            task_id="resolve_sources",
            job=name,
            own_params=own,
            create_container=config.storage.create_container,
            max_groups=limits.max_groups,
            full_listing_days=job.full_listing_days,
            on_execute_callback=DriveBackupNotifier.factory(config)("run.started"),
        )
        listing = ListDriveSourceOperator.partial(
            task_id="list_source",
            pool=POOL,
            execution_timeout=timedelta(minutes=limits.list_timeout_minutes),
            map_index_template="{{ task.group['label'] }}",
        ).expand(group=resolve.output)
        plan = PlanBatchesOperator(
            task_id="plan_batches",
            groups=resolve.output,
            export_formats=config.export_formats,
            max_batches=limits.max_batches,
            expected={
                "prices": config.prices.model_dump(),
                "units_per_minute": limits.units_per_minute,
                "mb_per_second": limits.expected_mb_per_second,
                "tasks_at_once": limits.tasks_at_once,
                "files_in_flight": limits.files_in_flight,
            },
            trigger_rule="all_done_min_one_success",
        )
        # A template, because an XComArg fails the task when a step before it failed and left nothing.
        plans = f"{{{{ ti.xcom_pull(task_ids='{plan.task_id}', key='{PLANS}') or '' }}}}"
        copy = DriveToBlobBatchOperator.partial(
            task_id="copy_batch",
            pool=POOL,
            files_in_flight=limits.files_in_flight,
            memory_mb=limits.memory_mb,
            tier=config.storage.tier,
            acknowledge_abuse=job.acknowledge_abuse,
            execution_timeout=timedelta(minutes=limits.batch_timeout_minutes),
            map_index_template="{{ task.copies['label'] }}",
            on_success_callback=DriveBackupNotifier.factory(config)("batch.copied"),
        ).expand(copies=plan.output)
        commit = CommitSnapshotOperator.partial(
            task_id="commit_snapshot",
            outlets=[SNAPSHOTS],
            trigger_rule="all_done",
            plans=plans,
            map_index_template="{{ task.group['label'] }}",
        ).expand(group=resolve.output)
        report = ReportOperator(
            task_id="report",
            groups=resolve.output,
            plans=plans,
            job=name,
            own_params=own,
            fail_on_unavailable=job.fail_on_unavailable,
            trigger_rule="all_done",
        )
        listing >> plan >> copy >> commit
        [listing, copy, commit] >> report
    return dag


def problem_dag(name: str, config: Config, problem: str) -> DAG:
    """Stands in for a job whose config is wrong: it fails every day, with the sentence, so that the alert fires."""
    with DAG(
        **dag_args(name, config, Job()),
        description="The config of this job is wrong; nothing is backed up",
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        # Paused, it would fail for nobody.
        is_paused_upon_creation=False,
        doc_md=f"### The config of this job is wrong\n\n{problem}\n\nNothing is backed up until it is mended.",
    ) as dag:
        ConfigProblemOperator(task_id="config_problem", problem=problem, retries=0)
    return dag


def dag_of(name: str, job: Job) -> DAG:
    """The DAG of one job. What Airflow refuses in one job takes away no other job's DAG."""
    try:
        return backup_dag(name, loaded.config.of(job), job)
    except Exception as error:  # noqa: BLE001 - whatever it refuses
        problem = f"{loaded.path}: jobs.{name}: Airflow does not take this job ({error}). Change it, or take it out."
        return problem_dag(name, loaded.config, problem)


loaded = load(config_path())
for _name, _job in loaded.jobs.items():
    globals()[dag_id_of(_name)] = dag_of(_name, _job)
for _name, _problem in loaded.problems.items():
    globals()[dag_id_of(_name)] = problem_dag(_name, loaded.config, _problem)
