"""The small files once more, through a real Airflow: what scheduler, task starts and XCom cost on top of the engine."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.contenders import USER
from benchmarks.servers import Servers
from include.demo.config import write_config
from include.demo.world import DAG_ID, World, free_port
from include.local_cloud.process import Service

CONTAINER = "through-airflow"


def through_airflow(servers: Servers) -> dict[str, Any]:
    """Back up what Drive serves now into the null endpoint, with latency; seconds of the run and of each of its steps."""
    folder = servers.state / "world"
    folder.mkdir()
    world = World(folder, free_port(), config=_config(folder), env=_env(servers, folder))
    try:
        world.start_cloud(timeout=600)
        _trust(servers, world, folder)
        servers.prepare(latency=True)
        world.start_airflow()
        world.api.unpause(DAG_ID)
        run_id = world.api.trigger(DAG_ID)
        run = world.api.wait_run(DAG_ID, run_id, 900)
        if run["state"] != "success":
            raise SystemExit(f"The run through Airflow is {run['state']}. See {folder}.")
        return _seconds(run, world.api.tasks(DAG_ID, run_id)) | {"truth": servers.truth}
    finally:
        world.stop()
        shutil.rmtree(folder / "airflow", ignore_errors=True)


def _config(folder: Path) -> Path:
    path = write_config(folder / "drive_backup.yaml", schedule=None)
    data = yaml.safe_load(path.read_text())
    data["connections"] = {"drive": "bench_drive", "blob": "bench_blob", "events": None}
    data["storage"] = {"container": CONTAINER}
    path.write_text(yaml.safe_dump(data))
    return path


def _env(servers: Servers, folder: Path) -> dict[str, str]:
    drive = {
        "keyfile_dict": json.loads(servers.key.read_text()),
        "scope": "https://www.googleapis.com/auth/drive.readonly",
        "api_endpoint": servers.drive_url,
        "subject": USER,
    }
    blob: Service = servers.blob("null_blob")
    connection_string = {"connection_string": blob.info["connection_string"]}
    trust = str(folder / "ca.pem")
    return {
        "AIRFLOW_CONN_BENCH_DRIVE": json.dumps({"conn_type": "google_cloud_platform", "extra": drive}),
        "AIRFLOW_CONN_BENCH_BLOB": json.dumps({"conn_type": "wasb", "extra": connection_string}),
        "REQUESTS_CA_BUNDLE": trust,
        "SSL_CERT_FILE": trust,
    }


def _trust(servers: Servers, world: World, folder: Path) -> None:
    """Airflow's tasks must trust this Drive and the local vault."""
    vault = Path(world.cloud.env["REQUESTS_CA_BUNDLE"]).read_bytes()
    (folder / "ca.pem").write_bytes(vault + b"\n" + servers.ca.read_bytes())


def _seconds(run: dict[str, Any], tasks: list[dict[str, Any]]) -> dict[str, Any]:
    steps: dict[str, list[tuple[datetime, datetime]]] = {}
    for task in tasks:
        if task["start_date"] and task["end_date"]:
            span = (datetime.fromisoformat(task["start_date"]), datetime.fromisoformat(task["end_date"]))
            steps.setdefault(task["task_id"], []).append(span)
    return {
        "wall": (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds(),
        "steps": {
            name: (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
            for name, spans in steps.items()
        },
        "tasks": sum(len(spans) for spans in steps.values()),
    }
