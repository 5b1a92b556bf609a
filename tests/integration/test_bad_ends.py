"""Every way in which a run can end badly, through real Airflow: what a consumer of the hub hears, and how often.

All of them at once, each in a job of its own with a folder of its own, so that they take the time of the slowest.
"""

import json
import os
import signal
import time

import psutil
import pytest

from include.demo.world import DAG_ID
from include.drive_backup.model import FOLDER
from tests.integration.conftest import NOTIFIED, Backups
from tests.support.check_backup import check_contents, read_snapshot

pytestmark = pytest.mark.timeout(1800)
FILES = 8
HANGING = ["out_of_time", "worker_killed", "worker_killed_last", "task_by_hand", "run_by_hand", "run_out_of_time"]


class BadRun:
    """A run of one job over a folder of its own, whose downloads hang for as long as the test wants."""

    def __init__(self, backups, job):
        self.backups = backups
        self.dag_id = f"{DAG_ID}_{job}"
        self.folder = backups.create(job, mime_type=FOLDER)["id"]
        self.files = [
            backups.create(f"{job} {n}.txt", text=f"{job} {n} " * 50, parent=self.folder)["id"] for n in range(FILES)
        ]
        backups.api.unpause(self.dag_id)

    def trigger(self):
        self.run_id = self.backups.trigger(self.dag_id, sources=[f"folder/{self.folder}"])

    def task(self, task_id="copy_batch"):
        return self.backups.task(self.run_id, task_id, dag_id=self.dag_id)

    def copying(self):
        """The copying task, once it waits for Drive."""
        self.backups.wait_task(self.run_id, "copy_batch", ["running"], timeout=600, dag_id=self.dag_id)
        self._until(lambda: set(self.backups.downloads()) & set(self.files), "did not ask for a file")
        return self.task()

    def end(self):
        return self.backups.wait(self.run_id, dag_id=self.dag_id)

    def hear(self):
        """The run's events after its end, by kind."""
        found = {}
        for event in self.backups.all_events(self.run_id):
            found.setdefault(event["type"].removeprefix("dev.drivebackup.backup."), []).append(event["data"])
        return found

    def set_task(self, state):
        path = f"/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/copy_batch/0"
        self.backups.api.call("PATCH", path, json={"new_state": state})

    def set_run(self, state):
        self.backups.api.call("PATCH", f"/dags/{self.dag_id}/dagRuns/{self.run_id}", json={"state": state})

    def _until(self, check, what, timeout=180):
        deadline = time.monotonic() + timeout
        while not check():
            assert time.monotonic() < deadline, f"{self.dag_id} {what}"
            time.sleep(0.2)


def kill_worker_of(task):
    """SIGKILL the process that supervises a task, and the task."""
    worker = psutil.Process(task["pid"]).parent()
    assert "LocalExecutor" in " ".join(worker.cmdline()), worker.cmdline()
    worker.kill()
    os.kill(task["pid"], signal.SIGKILL)


@pytest.fixture(scope="module")
def bad_runs(world, first_run):
    backups = Backups(world)
    runs = {job: BadRun(backups, job) for job in HANGING}
    hang = {"kind": "stall", "routes": ["files.get.media"], "seconds": 3600}
    files = [ident for run in runs.values() for ident in run.files]
    backups.admin("faults", {"rules": [{**hang, "files": files}]})
    try:
        for run in runs.values():
            run.trigger()
        for job in ("worker_killed", "worker_killed_last"):
            kill_worker_of(runs[job].copying())
        runs["task_by_hand"].copying()
        runs["task_by_hand"].set_task("failed")
        runs["run_by_hand"].copying()
        runs["run_by_hand"].set_run("failed")
        # The worker's second try finds Drive well again.
        rest = [ident for job, run in runs.items() if job != "worker_killed" for ident in run.files]
        backups.clear_faults()
        backups.admin("faults", {"rules": [{**hang, "files": rest}]})
        for run in runs.values():
            run.state = run.end()
        yield runs
    finally:
        backups.clear_faults()


def the_one(events):
    """Exactly one event, as whoever de-duplicates on `source` and `id` sees it."""
    [event] = events
    return event


def further_notifications(run):
    lines = (run.backups.world.folder / NOTIFIED).read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["run_id"] == run.run_id]


@pytest.mark.parametrize("job", [job for job in HANGING if job != "worker_killed"])
def test_the_alert_comes_once_to_the_hub_and_to_the_further_notifier(bad_runs, job):
    run = bad_runs[job]
    assert run.state == "failed"
    alert = the_one(run.hear()["run.failed"])
    assert (alert["severity"], alert["dag_id"]) == ("critical", run.dag_id)
    assert "run.succeeded" not in run.hear()
    assert run.dag_id in {line["dag_id"] for line in further_notifications(run)}


def test_an_execution_timeout_on_the_last_try(bad_runs):
    run = bad_runs["out_of_time"]
    [copy] = [event for event in run.hear()["task.failed"] if event["task_id"] == "copy_batch"]
    assert (copy["error_class"], copy["error_reason"]) == ("OutOfTimeError", "timeout")
    assert "limits.batch_timeout_minutes" in copy["message"]
    lines, tracebacks = run.backups.lines(run.run_id, "copy_batch", 1, 0, run.dag_id)
    assert not tracebacks
    assert any("did not end within its time-out" in line for line in lines)
    assert run.backups.summary(run.run_id, dag_id=run.dag_id)["status"] == "partial"


def test_a_worker_killed_with_its_task_is_retried_and_completes(bad_runs):
    run = bad_runs["worker_killed"]
    assert run.state == "success"
    assert run.task()["try_number"] == 2
    assert the_one(run.hear()["task.retried"])["try_number"] == 1
    assert "run.failed" not in run.hear()
    _, rows = read_snapshot(run.backups.container, run.backups.summary(run.run_id, dag_id=run.dag_id)["manifest"])
    assert check_contents(run.backups.container, {ident: rows[ident] for ident in run.files}) == FILES


def test_a_worker_killed_with_its_task_on_the_last_try(bad_runs):
    run = bad_runs["worker_killed_last"]
    [copy] = [event for event in run.hear()["task.failed"] if event["task_id"] == "copy_batch"]
    assert "/tasks/copy_batch/mapped/0" in copy["log_url"]
    assert "task.retried" not in run.hear()
    assert run.backups.summary(run.run_id, dag_id=run.dag_id)["status"] == "partial"


def test_a_task_set_to_failed_by_hand_stops_and_alerts(bad_runs):
    run = bad_runs["task_by_hand"]
    assert run.task()["state"] == "failed"
    [copy] = [event for event in run.hear()["task.failed"] if event["task_id"] == "copy_batch"]
    assert copy["severity"] == "error"
    # It was not tried again, and nobody was told that it would be.
    assert run.task()["try_number"] == 1
    assert "task.retried" not in run.hear()
    lines, _ = run.backups.lines(run.run_id, "copy_batch", 1, 0, run.dag_id)
    assert any("asked to stop" in line for line in lines)


def test_a_run_marked_failed_by_hand_stops_and_alerts(bad_runs):
    run = bad_runs["run_by_hand"]
    alert = the_one(run.hear()["run.failed"])
    assert alert["error_reason"] == "marked_failed"
    assert "Somebody marked it failed" in alert["message"]
    assert run.task()["state"] == "failed"
    assert "task.retried" not in run.hear()
    assert run.backups.summary(run.run_id, dag_id=run.dag_id) is None


def test_a_run_that_takes_too_long_is_stopped_and_alerts(bad_runs):
    run = bad_runs["run_out_of_time"]
    alert = the_one(run.hear()["run.failed"])
    assert alert["error_reason"] == "timed_out"
    assert "limits.run_timeout_hours" in alert["message"]
    assert "task.retried" not in run.hear()
    assert run.backups.summary(run.run_id, dag_id=run.dag_id) is None
