"""Bad days through real Airflow: killed tasks, quota gone, hub and Blob down, bad input. What is said and kept."""

import os
import signal
import time

import pytest

from include.demo.world import DAG_ID, free_port
from include.drive_backup.model import FOLDER
from tests.integration.conftest import IN_FLIGHT
from tests.support.check_backup import check_contents, read_snapshot

BLOB = "airflow-connections-drive-backup-blob"
EVENTS = "airflow-connections-drive-backup-events"
GOOGLE = "airflow-connections-drive-backup-google"


@pytest.fixture
def secret(backups):
    """Change a secret of the vault for one test: ``secret(name, value)``; None deletes it."""
    kept = {}

    def change(name, value):
        kept.setdefault(name, backups.get_secret(name))
        backups.put_secret(name, value)

    yield change
    for name, value in kept.items():
        backups.put_secret(name, value)


def sentence(backups, run_id, task_id, map_index=-1, dag_id=DAG_ID):
    """The last word of a failed task, which must come without a traceback. Its try must be the last one."""
    task = backups.task(run_id, task_id, dag_id=dag_id)
    lines, tracebacks = backups.lines(run_id, task_id, task["try_number"], map_index, dag_id)
    assert [line["event"] for line in tracebacks] == []
    return next(line for line in reversed(lines) if line.startswith("Task exited"))


def new_files(backups, count, prefix):
    return [backups.create(f"{prefix} {n}.txt", text=f"{prefix} {n} " * 50)["id"] for n in range(count)]


def test_sigkill_in_mid_batch_then_the_retry_copies_only_what_is_missing(backups):
    ids = new_files(backups, 150, "killed")
    backups.admin("faults", {"settings": {"media_latency_ms": 400}})
    downloads = backups.downloads()
    run_id = backups.trigger()
    task = backups.wait_task(run_id, "copy_batch", ["running"])
    deadline = time.monotonic() + 60
    while len(backups.downloads()) < len(downloads) + 40 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(backups.task(run_id, "copy_batch")["pid"], signal.SIGKILL)
    backups.clear_faults()
    assert backups.wait(run_id) == "success"
    assert backups.task(run_id, "copy_batch")["try_number"] == task["try_number"] + 1
    _, rows = read_snapshot(backups.container, backups.summary(run_id)["manifest"])
    assert {rows[ident]["outcome"] for ident in ids} == {"copied"}
    assert check_contents(backups.container, {ident: rows[ident] for ident in ids}) == 150
    after = backups.downloads()
    twice = [ident for ident in ids if after.get(ident, 0) > 1]
    # Only those that were under way when the task died.
    assert len(twice) <= IN_FLIGHT
    assert backups.events(run_id, "task.retried")


def test_drive_fails_for_longer_than_a_task_asks_and_the_retry_copies_what_is_missing(backups):
    """Beside it, at once: a job of its own with a container that is not there and may not be made."""
    dag_id, lost = f"{DAG_ID}_drive_down", f"{DAG_ID}_no_container"
    folder = backups.create("down", mime_type=FOLDER)["id"]
    ids = [backups.create(f"down {n}.txt", text=f"down {n} " * 50, parent=folder)["id"] for n in range(6)]
    backups.admin("faults", {"rules": [{"kind": "error", "routes": ["files.get.media"], "files": ids[:2]}]})
    for each in (dag_id, lost):
        backups.api.unpause(each)
    run_id = backups.trigger(dag_id, sources=[f"folder/{folder}"])
    lost_run = backups.trigger(lost)
    backups.wait_task(run_id, "copy_batch", ["up_for_retry"], dag_id=dag_id)
    backups.clear_faults()
    assert backups.wait(run_id, dag_id=dag_id) == "success"
    assert backups.task(run_id, "copy_batch", dag_id=dag_id)["try_number"] == 2
    [retried] = backups.events(run_id, "task.retried")
    assert (retried["data"]["task_id"], retried["data"]["error_reason"]) == ("copy_batch", "filesFailed")
    assert retried["data"]["message"].find("2 of 6 files could not be copied") > 0
    summary = backups.summary(run_id, dag_id=dag_id)
    assert (summary["status"], summary["counts"]["copied"]) == ("complete", 6)
    _, rows = read_snapshot(backups.container, summary["manifest"])
    assert check_contents(backups.container, {ident: rows[ident] for ident in ids}) == 6
    downloads = backups.downloads()
    assert [downloads[ident] for ident in ids[2:]] == [1] * 4

    assert backups.wait(lost_run, dag_id=lost) == "failed"
    assert "/nowhere" in sentence(backups, lost_run, "resolve_sources", dag_id=lost)
    assert backups.task(lost_run, "resolve_sources", dag_id=lost)["try_number"] == 1


def test_files_that_fail_for_good_make_the_run_red_and_the_next_one_completes_it(backups):
    [bad, good] = new_files(backups, 2, "refused for now")
    rule = {"kind": "error", "routes": ["files.get.media"], "files": [bad], "status": 403}
    backups.admin("faults", {"rules": [{**rule, "reason": "dailyLimitExceeded"}]})
    run_id, state = backups.run()
    assert state == "failed"
    # One alert, not one per batch: the batches end in good order, the report says what is missing.
    assert "not complete" in sentence(backups, run_id, "report")
    assert backups.task(run_id, "copy_batch")["state"] == "success"
    summary = backups.summary(run_id)
    assert summary["status"] == "partial"
    _, rows = read_snapshot(backups.container, summary["manifest"])
    assert (rows[bad]["outcome"], rows[bad]["reason"]) == ("failed", "dailyLimitExceeded")
    # The alert, as a consumer receives it.
    assert [event["data"]["task_id"] for event in backups.events(run_id, "task.failed")] == ["report"]
    [alert] = backups.events(run_id, "run.failed")
    assert alert["data"]["severity"] == "critical"

    backups.clear_faults()
    run_id, state = backups.run()
    assert state == "success"
    _, rows = read_snapshot(backups.container, backups.summary(run_id)["manifest"])
    assert {rows[bad]["outcome"], rows[good]["outcome"]} <= {"copied", "unchanged"}


def test_a_task_killed_on_its_last_try_raises_the_alert_once(backups):
    new_files(backups, 60, "killed for good")
    backups.admin("faults", {"settings": {"media_latency_ms": 3000}})
    run_id = backups.trigger()
    for attempt in (1, 2, 3):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            task = backups.task(run_id, "copy_batch")
            if task["state"] == "running" and task["try_number"] == attempt and task["pid"]:
                break
            time.sleep(0.1)
        time.sleep(1)
        os.kill(task["pid"], signal.SIGKILL)
    backups.clear_faults()
    assert backups.wait(run_id) == "failed"
    assert backups.summary(run_id)["status"] == "partial"
    failed = [event for event in backups.events(run_id, "task.failed") if event["data"]["task_id"] == "copy_batch"]
    assert len(failed) == 1
    assert len(backups.events(run_id, "run.failed")) == 1


def test_the_hub_is_down_and_no_event_is_lost(backups, secret):
    dead = backups.get_secret(EVENTS)
    live = dead["extra"]["connection_string"]
    port = live.split("sb://127.0.0.1:")[1].split(";")[0]
    secret(EVENTS, {**dead, "extra": {**dead["extra"], "connection_string": live.replace(port, str(free_port()), 1)}})
    run_id, state = backups.run()
    assert state == "success"
    assert backups.blobs("outbox/")
    backups.put_secret(EVENTS, dead)
    later, state = backups.run()
    assert state == "success"
    assert backups.events(run_id, "run.started")
    assert backups.events(run_id, "run.succeeded")
    assert backups.events(later, "run.succeeded")
    assert not backups.blobs("outbox/")


def test_connections_come_from_the_vault_and_a_wrong_key_is_told_at_once(backups, secret):
    good = backups.get_secret(BLOB)
    wrong = good["extra"]["connection_string"].replace("AccountKey=Eby8", "AccountKey=AAAA")
    secret(BLOB, {**good, "extra": {"connection_string": wrong}})
    run_id, state = backups.run()
    assert state == "failed"
    assert "key" in sentence(backups, run_id, "resolve_sources").lower()
    assert backups.task(run_id, "resolve_sources")["try_number"] == 1


def test_a_missing_secret_is_told_apart_from_a_vault_that_is_down(backups, secret):
    secret(GOOGLE, None)
    run_id, state = backups.run()
    assert state == "failed"
    assert GOOGLE in sentence(backups, run_id, "resolve_sources")
    assert backups.task(run_id, "resolve_sources")["try_number"] == 1


def test_a_google_key_that_is_no_key_is_told_at_once(backups, secret):
    good = backups.get_secret(GOOGLE)
    key = good["extra"]["keyfile_dict"]
    garbage = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n"
    secret(GOOGLE, {**good, "extra": {**good["extra"], "keyfile_dict": {**key, "private_key": garbage}}})
    run_id, state = backups.run()
    assert state == "failed"
    said = sentence(backups, run_id, "resolve_sources")
    assert "Paste the JSON key file" in said
    assert "bm90IGEga2V5" not in said
    assert backups.task(run_id, "resolve_sources")["try_number"] == 1


def test_the_daily_quota_is_spent_while_listing(backups):
    rule = {"kind": "error", "routes": ["files.list", "changes.list"], "status": 403, "reason": "dailyLimitExceeded"}
    backups.admin("faults", {"rules": [rule]})
    run_id, state = backups.run()
    assert state == "failed"
    assert "today" in sentence(backups, run_id, "list_source", 0).lower()
    assert backups.task(run_id, "list_source")["try_number"] == 1


def test_blob_is_down_is_retried_and_said(backups, secret):
    good = backups.get_secret(BLOB)
    dead = f"http://127.0.0.1:{free_port()}/devstoreaccount1"
    text = good["extra"]["connection_string"].split("BlobEndpoint=")[0] + f"BlobEndpoint={dead}"
    secret(BLOB, {**good, "extra": {"connection_string": text}})
    run_id = backups.trigger()
    task = backups.wait_task(run_id, "resolve_sources", ["up_for_retry"], timeout=600)
    lines, tracebacks = backups.lines(run_id, "resolve_sources", task["try_number"])
    assert not [line for line in tracebacks if "Task failed" in line["event"]]
    assert any(line.startswith("Task exited") and "no connection" in line for line in lines)
    backups.put_secret(BLOB, good)
    assert backups.wait(run_id) == "success"


def test_a_vault_that_is_down_is_said_and_retried(backups):
    backups.vault_fault({"kind": "503"})
    try:
        run_id = backups.trigger()
        task = backups.wait_task(run_id, "resolve_sources", ["up_for_retry"], timeout=600)
        lines, _ = backups.lines(run_id, "resolve_sources", task["try_number"])
        assert any(line.startswith("Task exited") and "vault" in line.lower() for line in lines)
    finally:
        backups.vault_fault(None)
    assert backups.wait(run_id) == "success"


@pytest.mark.parametrize(
    ("conf", "task_id", "words"),
    [
        ({"sources": ["folder/no-such-folder"]}, "list_source", "no-such-folder"),
        ({"sources": ["user/nobody@example.com"]}, "list_source", "nobody@example.com"),
        ({"sources": ["usr/ann"]}, "resolve_sources", "user/<email address>"),
        ({"exclude": ["!"]}, "resolve_sources", "gitignore"),
        ({"excludes": ["*.tmp"]}, "resolve_sources", "excludes"),
        ({"instant": "2099-01-01T00:00:00Z"}, "resolve_sources", "future"),
    ],
)
def test_bad_input_fails_at_once_with_a_sentence(backups, conf, task_id, words):
    run_id, state = backups.run(**conf)
    assert state == "failed"
    assert words in sentence(backups, run_id, task_id, 0 if task_id == "list_source" else -1)
    assert backups.task(run_id, task_id)["try_number"] == 1


def test_the_dag_of_a_bad_job_says_so_and_the_good_one_still_runs(backups, world):
    config = world.folder / "drive_backup.yaml"
    good = config.read_text()
    config.write_text(good + "  nightly:\n    schedule: every night\n")
    dag_id = f"{DAG_ID}_nightly"
    try:
        deadline = time.monotonic() + 120
        while not backups.api.has_dag(dag_id) and time.monotonic() < deadline:
            time.sleep(1)
        backups.api.unpause(dag_id)
        run_id = backups.api.trigger(dag_id)
        assert backups.wait(run_id, dag_id=dag_id) == "failed"
        lines, _ = backups.lines(run_id, "config_problem", dag_id=dag_id)
        assert any("jobs.nightly.schedule" in line and "cron" in line for line in lines)
        assert backups.api.has_dag(DAG_ID)
    finally:
        config.write_text(good)
