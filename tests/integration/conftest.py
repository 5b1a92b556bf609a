"""One local cloud and one Airflow for all tests of this folder, started like the demo's, stopped whatever happens."""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import ContainerClient

from include.demo.airflow import ROOT
from include.demo.config import write_config
from include.demo.drive import admin, open_quota
from include.demo.events import EventReader
from include.demo.world import DAG_ID, World, free_port
from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.model import FOLDER
from include.drive_backup.settings import RETENTION_DAG_ID

CONTAINER = "drive-backup"
NOTIFIED = "notified.jsonl"
CLOCK = "clock"
IN_FLIGHT = 16
STORY_USER = "story@example.com"
PAST_USER = "past@example.com"
#: When their nights end: far from now, so that Airflow's clock starts none while the tests run.
STORY_HOUR = (datetime.now(UTC).hour + 12) % 24


def _job(storage=None, **limits):
    return {"schedule": None, "limits": limits, "storage": storage or {}}


#: One job for each way in which a run can end badly, so that they can do so at once.
JOBS = {
    "out_of_time": _job(task_retries=0, batch_timeout_minutes=0.5),
    "worker_killed": _job(task_retries=1, retry_delay_seconds=1),
    "worker_killed_last": _job(task_retries=0),
    "task_by_hand": _job(),
    "run_by_hand": _job(),
    "run_out_of_time": _job(run_timeout_hours=0.01),
    "drive_down": _job(attempts=1, retry_delay_seconds=1),
    "no_container": _job(storage={"container": "nowhere", "create_container": False}),
    "story": {"schedule": f"0 {STORY_HOUR} * * *", "sources": [f"user/{STORY_USER}"]},
    "past_month": {"schedule": f"0 {STORY_HOUR} * * *", "sources": [f"user/{PAST_USER}"]},
}

#: A dead worker is noticed by its silence, here after 30 s instead of 300.
AIRFLOW = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}:{ROOT / 'tests' / 'support'}",
}


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


class Backups:
    """What the tests do with the world, and what they look at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = world.api
        self.drive = world.cloud.urls["drive"]
        self.hub = world.hub
        self.container = ContainerClient.from_connection_string(world.cloud.blob_connection_string, CONTAINER)

    def admin(self, path, body=None):
        return admin(self.drive, path, body)

    def clear_faults(self):
        requests.delete(f"{self.drive}/_admin/faults", timeout=10).raise_for_status()

    def vault_fault(self, fault):
        """Break the vault, or mend it with None."""
        url = f"{self.world.cloud.urls['keyvault']}/_admin/faults"
        verb = "DELETE" if fault is None else "POST"
        requests.request(verb, url, json=fault, verify=self._ca_bundle, timeout=10).raise_for_status()

    def downloads(self):
        """How often each file's bytes were asked for, by file id."""
        return self.admin("stats")["downloads"]

    def create(self, name, **edit):
        return self.admin("edit", {"action": "create", "name": name, **edit})

    def tree(self, root):
        """Path → SHA-256 (None for folders) of what Drive holds below a folder and is not in the trash."""
        items = self.admin("items?sha256=1")["items"]
        below, found = {root: ""}, {}
        while below:
            parent, path = below.popitem()
            for item in items:
                if parent in item["parents"] and not item["trashed"]:
                    here = f"{path}/{item['name'].replace('/', '|')}"
                    found[here] = item.get("sha256")
                    if item["mimeType"] == FOLDER:
                        below[item["id"]] = here
        return found

    def clear(self, run_id):
        """Clear all of a run's tasks, as the button in the UI does."""
        body = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self.api.call("POST", f"/dags/{DAG_ID}/clearTaskInstances", json=body)

    def events(self, run_id, kind, timeout=60):
        """Events of a run that a real consumer receives, of one kind."""

        def of(events):
            return [
                event
                for event in events
                if event["data"]["run_id"] == run_id and event["type"] == f"dev.drivebackup.backup.{kind}"
            ]

        return of(self.hub.events(lambda found: bool(of(found)), timeout))

    def all_events(self, run_id):
        """All events of a run that a real consumer receives; the run's last one is waited for."""

        def ended(events):
            return any(
                e["data"]["run_id"] == run_id and e["type"].endswith(("run.failed", "run.succeeded")) for e in events
            )

        return [event for event in self.hub.events(ended, timeout=90) if event["data"]["run_id"] == run_id]

    def trigger(self, dag_id=DAG_ID, **conf):
        return self.api.trigger(dag_id, conf)

    def first_run_of(self, dag_id, timeout=600):
        """The scheduled run that unpausing starts."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if runs := self.api.runs(dag_id):
                return runs[0]["dag_run_id"]
            time.sleep(0.5)
        raise AssertionError(f"Airflow scheduled no run of {dag_id}")

    def answer(self, run_id, option):
        """What a person does under Required Actions: also once more, when Airflow asks again.

        Airflow's executor loses a task that goes on while its first process still ends, and its second try asks anew.
        """
        path = f"/dags/{RETENTION_DAG_ID}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        waiting = ["awaiting_input", "deferred"]
        while self.wait_task(run_id, "approve", [*waiting, "success"], dag_id=RETENTION_DAG_ID)["state"] in waiting:
            # As a person, not at once.
            time.sleep(3)
            if not self.api.call("GET", path)["response_received"]:
                self.api.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def wait(self, run_id, timeout=600, dag_id=DAG_ID):
        return self.api.wait_run(dag_id, run_id, timeout)["state"]

    def run(self, **conf):
        run_id = self.trigger(**conf)
        return run_id, self.wait(run_id)

    def task(self, run_id, task_id, map_index=None, dag_id=DAG_ID):
        found = [task for task in self.api.tasks(dag_id, run_id) if task["task_id"] == task_id]
        return next((t for t in found if map_index is None or t["map_index"] == map_index), None)

    def wait_task(self, run_id, task_id, states, timeout=600, dag_id=DAG_ID):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            task = self.task(run_id, task_id, dag_id=dag_id)
            if task and task["state"] in states:
                return task
            time.sleep(0.2)
        seen = {each["task_id"]: each["state"] for each in self.api.tasks(dag_id, run_id)}
        raise AssertionError(f"{task_id} of {dag_id} did not become {states}: {seen}")

    def summary(self, run_id, map_index=0, dag_id=DAG_ID):
        return self.api.xcom(dag_id, run_id, "commit_snapshot", map_index=map_index)

    def lines(self, run_id, task_id, attempt=1, map_index=-1, dag_id=DAG_ID):
        """What a person reads in a task's log: the messages, and whether there is a traceback."""
        log = self.api.log(dag_id, run_id, task_id, attempt, map_index)
        return [f"{line['event']} {line.get('exit_code', '')}".strip() for line in log], [
            line for line in log if line.get("error_detail")
        ]

    def troubles(self, run_id, dag_id=DAG_ID):
        """The last words of each task of a run that did not succeed, for the message of an assertion."""
        found = [task for task in self.api.tasks(dag_id, run_id) if task["state"] == "failed"]
        return {
            f"{task['task_id']} {task['map_index']} {task['state']}": [
                line
                for line in self.lines(run_id, task["task_id"], task["try_number"], task["map_index"], dag_id)[0]
                if not line.startswith("::")
            ][-2:]
            for task in found
        }

    def blobs(self, prefix):
        return {blob.name: blob for blob in self.container.list_blobs(name_starts_with=prefix)}

    def read(self, name):
        return self.container.download_blob(name).readall()

    def snapshots(self, source):
        return [
            name
            for blob in self.blobs(f"snapshots/{source}/")
            if (name := parse_snapshot(blob)) is not None and blob == name.manifest
        ]

    def set_clock(self, moment):
        """Let Blob Storage believe that it is another time; None: that of this machine."""
        seconds = 0.0 if moment is None else (moment - datetime.now(UTC)).total_seconds()
        (self.world.folder / CLOCK).write_text(str(round(1000 * seconds)))

    def put_secret(self, name, value):
        """Write a secret into the vault; None deletes it."""
        with self._vault() as client:
            if value is None:
                client.begin_delete_secret(name).wait()
                client.purge_deleted_secret(name)
            else:
                client.set_secret(name, json.dumps(value))

    def get_secret(self, name):
        with self._vault() as client:
            return json.loads(client.get_secret(name).value)

    def _vault(self):
        """The real client."""
        return SecretClient(
            self.world.cloud.urls["keyvault"],
            _Identity(self.world.cloud.env),
            verify_challenge_resource=False,
            connection_verify=self._ca_bundle,
        )

    @property
    def _ca_bundle(self):
        return str(self.world.folder / "cloud" / "keyvault" / "ca-bundle.pem")


class _Identity:
    def __init__(self, env):
        self.env = env

    def get_token(self, *scopes, **_):
        from azure.core.credentials import AccessToken

        answer = requests.get(
            self.env["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": scopes[0].removesuffix("/.default")},
            headers={"X-IDENTITY-HEADER": self.env["IDENTITY_HEADER"]},
            timeout=10,
        ).json()
        return AccessToken(answer["access_token"], int(answer["expires_on"]))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    # From early on, so that days of the past can be backfilled; paused until a test triggers.
    config = write_config(
        folder / "drive_backup.yaml",
        start_date="2026-01-01",
        limits={"task_retries": 2, "max_groups": 3, "files_in_flight": IN_FLIGHT},
        # Not scheduled: the snapshots of these tests stay until a test lets them go.
        retention={"schedule": None, "keep": {"daily": 7, "weekly": 4}},
        restore={"places": ["folder/*"], "act_as": [STORY_USER]},
        jobs=JOBS,
        notifiers=[{"class": "file_notifier.FileNotifier", "kwargs": {"path": str(folder / NOTIFIED)}}],
    )
    made = World(folder, free_port(), config=config, env=AIRFLOW)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NODE_OPTIONS", f'--require "{ROOT / "tests" / "support" / "set_clock.js"}"')
            patch.setenv("CLOCK_OFFSET_FILE", str(folder / CLOCK))
            made.start_cloud(timeout=600)
        open_quota(made.cloud.urls["drive"])
        made.start_airflow()
        made.api.unpause(DAG_ID)
        # One real consumer for all tests: to connect anew takes it some seconds.
        with EventReader(made.cloud.events_connection_string, made.cloud.hub) as made.hub:
            yield made
    finally:
        made.stop()
        for name in ("cloud", "airflow"):
            shutil.rmtree(folder / name, ignore_errors=True)


@pytest.fixture(scope="session")
def first_run(world):
    """The scheduled run that unpausing starts, and after it a manual run over everything."""
    backups = Backups(world)
    backups.wait(backups.first_run_of(DAG_ID))
    return backups.run()


@pytest.fixture
def backups(world, first_run):
    made = Backups(world)
    yield made
    made.clear_faults()
