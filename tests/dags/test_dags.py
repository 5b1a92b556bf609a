"""Policy for every DAG of ours: who owns it, what it says when it fails, how it is tried again."""

import runpy

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from include.demo.airflow import ROOT
from include.drive_backup.retention.settings import RetentionSettings


@pytest.fixture(scope="module")
def dags():
    bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert bag.dags
    return bag.dags


def test_every_dag_opens_with_its_runbook_and_has_owner_and_tags(dags):
    for dag in dags.values():
        assert len(dag.doc_md) > 500, dag.dag_id
        assert "fails" in dag.doc_md
        assert "drive-backup" in dag.tags
        assert all(task.owner == "drive-backup" for task in dag.tasks)


def test_nothing_is_caught_up_and_one_run_is_active_at_a_time(dags):
    for dag in dags.values():
        assert dag.catchup is False
        assert dag.max_active_runs == 1
        assert dag.dagrun_timeout is not None


def test_every_task_ends_is_retried_by_class_and_alerts(dags):
    for dag in dags.values():
        for task in dag.tasks:
            assert task.execution_timeout is not None, task.task_id
            assert task.retry_policy is not None, task.task_id
            assert task.on_failure_callback, task.task_id
            assert task.retry_exponential_backoff == 2
        assert dag.on_failure_callback


def test_tasks_that_spend_quota_wait_for_the_pool(dags):
    dag = dags["google_drive_backup"]
    assert {task.task_id for task in dag.tasks if task.pool == "drive_backup"} == {"list_source", "copy_batch"}


def test_a_run_covers_the_day_before_it(dags):
    """CronTriggerTimetable, which "@daily" would be, has empty intervals; a run's instant is the end of its own."""
    assert type(dags["google_drive_backup"].timetable).__name__ == "CronDataIntervalTimetable"


def test_retention_is_only_scheduled_when_somebody_has_said_what_to_keep(dags):
    assert type(dags["google_drive_retention"].timetable).__name__ == "NullTimetable"
    assert RetentionSettings(keep={"daily": 7}).active
    assert not RetentionSettings(keep={"daily": 0}).active
    assert RetentionSettings(sources={"drive/*": {"last": 1}}).active


def test_a_source_has_the_rules_of_the_first_glob_that_fits():
    settings = RetentionSettings(keep={"daily": 7}, sources={"drive/*": {"last": 1}, "*": {"last": 2}})
    assert [settings.policy(each, approved=True).keep.last for each in ("drive/x", "user/ann@example.com")] == [1, 2]
    assert RetentionSettings(keep={"daily": 7}).policy("drive/x", approved=True).keep.daily == 7


def test_a_restore_waits_for_the_archive_before_its_batches_and_without_a_slot_of_the_pool(dags):
    dag = dags["google_drive_restore"]
    rehydrate = dag.get_task("rehydrate")
    assert (rehydrate.upstream_task_ids, rehydrate.downstream_task_ids) == ({"plan_restore"}, {"restore_batch"})
    assert rehydrate.pool == "default_pool"


def test_content_is_written_to_the_tier_that_the_config_says(tmp_path, monkeypatch):
    config = tmp_path / "drive_backup.yaml"
    config.write_text(
        "storage: {tier: cool}\nretention: {tiers: {cold_days: 90}}\n"
        "jobs: {default: {}, films: {storage: {tier: archive}}}\n"
    )
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    copies = [bag.dags[name].get_task("copy_batch") for name in ("google_drive_backup", "google_drive_backup_films")]
    assert [task.partial_kwargs["tier"] for task in copies] == ["cool", "archive"]
    # Tiers alone are reason enough to run.
    assert type(bag.dags["google_drive_retention"].timetable).__name__ == "CronTriggerTimetable"


@pytest.mark.parametrize("name", ["a b", "a/b", "a\\0b", "n" * 240])
def test_a_job_whose_name_airflow_refuses_has_a_dag_that_says_so_and_leaves_the_others_alone(
    tmp_path, monkeypatch, name
):
    config = tmp_path / "drive_backup.yaml"
    config.write_text(f'jobs: {{good: {{}}, "{name}": {{}}}}\n')
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert "google_drive_backup_good" in bag.dags
    [problem] = [dag for dag in bag.dags.values() if dag.has_task("config_problem")]
    assert "a job's name has" in problem.get_task("config_problem").problem


def test_what_airflow_refuses_in_one_job_leaves_the_others_alone(tmp_path, monkeypatch):
    """Whatever it is: here Airflow is made to refuse a job that our own checks let pass."""
    config = tmp_path / "drive_backup.yaml"
    config.write_text("jobs: {good: {}, odd: {tags: [refuse-me]}}\n")
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    real = DAG.__init__

    def refuse(self, *arguments, **options):
        if "refuse-me" in options.get("tags", ()):
            raise TypeError("no such tag, please")
        real(self, *arguments, **options)

    monkeypatch.setattr(DAG, "__init__", refuse)
    made = runpy.run_path(str(ROOT / "dags" / "google_drive_backup.py"))
    assert made["google_drive_backup_good"].has_task("copy_batch")
    problem = made["google_drive_backup_odd"].get_task("config_problem").problem
    assert "jobs.odd" in problem
    assert "no such tag, please" in problem


@pytest.mark.parametrize("dag_id", ["google_drive_retention", "google_drive_verify"])
@pytest.mark.parametrize(
    ("jobs", "ends"),
    [
        ("{default: {}}", [""]),
        ("{default: {}, team: {}}", [""]),
        ("{team: {storage: {container: team-backup}}}", ["_team-backup"]),
        ("{default: {}, team: {storage: {container: team-backup}}}", ["", "_team-backup"]),
        ("{team: {storage: {container: team-backup}}, default: {}}", ["", "_team-backup"]),
        ("{a: {storage: {container: one-a}}, b: {storage: {container: two-b}}}", ["_one-a", "_two-b"]),
    ],
)
def test_each_container_has_a_dag_of_its_own_whatever_the_order_of_the_jobs(tmp_path, monkeypatch, dag_id, jobs, ends):
    config = tmp_path / "drive_backup.yaml"
    config.write_text(f"storage: {{container: shared-one}}\nretention: {{keep: {{last: 3}}}}\njobs: {jobs}\n")
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    bag = DagBag(dag_folder=str(ROOT / "dags" / f"{dag_id}.py"), bundle_name="dags-folder")
    assert sorted(bag.dags) == sorted(f"{dag_id}{end}" for end in ends)
    containers = {dag.default_args["container"] for dag in bag.dags.values()}
    assert len(containers) == len(ends)


def test_a_job_whose_config_is_wrong_fails_for_everybody_to_see(tmp_path, monkeypatch):
    config = tmp_path / "drive_backup.yaml"
    config.write_text("jobs: {good: {}, odd: {batch_files: none}}\n")
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
    bag = DagBag(dag_folder=str(ROOT / "dags" / "google_drive_backup.py"), bundle_name="dags-folder")
    assert bag.dags["google_drive_backup_odd"].is_paused_upon_creation is False
    assert bag.dags["google_drive_backup_good"].is_paused_upon_creation is None


def test_a_rejection_skips_the_deletion_and_not_the_report(dags):
    """Airflow skips the tasks right after one that is rejected, whatever their trigger rule."""
    assert dags["google_drive_retention"].get_task("approve").downstream_task_ids == {"apply_retention"}
