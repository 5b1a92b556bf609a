"""``make demo``: back up a Drive with real Airflow into a local cloud, show it, and leave it running to look at."""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from rich.console import Console

from include.demo.airflow import ROOT
from include.demo.config import write_config
from include.demo.drive import open_quota
from include.demo.errors import DemoError
from include.demo.events import read_events
from include.demo.progress import RunWatch
from include.demo.report import show
from include.demo.signals import stop_once
from include.demo.world import DAG_ID, World, folder_for
from include.drive_backup.model import human_bytes

RUN_TIMEOUT = 24 * 3600.0
DISK_BYTES = 1_000_000_000


def demo(console: Console, world: World) -> int:
    """Run one backup; returns the exit code.

    :raises DemoError: it cannot be run.
    """
    bring_up(console, world)
    api = world.api
    api.unpause(DAG_ID)
    run_id = api.trigger(DAG_ID)
    console.print(f"Backing up: {world.airflow().url}/dags/{DAG_ID}/runs/{run_id}", soft_wrap=True)
    with RunWatch(console, api, run_id, world.cloud.blob_connection_string) as watch:
        run = api.wait_run(DAG_ID, run_id, RUN_TIMEOUT, watch.look)
    commits = [task for task in api.tasks(DAG_ID, run_id) if task["task_id"] == "commit_snapshot"]
    found = (api.xcom(DAG_ID, run_id, "commit_snapshot", map_index=task["map_index"]) for task in commits)
    events = [
        event
        for event in read_events(
            world.cloud.events_connection_string,
            world.cloud.hub,
            enough=lambda events: any(e["type"].endswith((".succeeded", ".failed")) and _of(e, run_id) for e in events),
            timeout=15,
        )
        if _of(event, run_id)
    ]
    show(console, world, run, [summary for summary in found if summary], events)
    return 0 if run["state"] == "success" else 1


def bring_up(console: Console, world: World) -> None:
    """Start what does not run yet."""
    if world.running and world.api.healthy():
        console.print("Airflow and the local cloud run already.")
        return
    world.stop()
    try:
        with _doing(console, "Starting the local cloud (the first time, Azurite is installed) …"):
            world.start_cloud()
            open_quota(world.cloud.urls["drive"])
        with _doing(console, "Starting Airflow …"):
            world.start_airflow()
    except BaseException:
        world.stop()
        raise


def _doing(console: Console, words: str) -> AbstractContextManager[object]:
    """A spinner; without a terminal, a line."""
    if console.is_terminal:
        return console.status(words)
    console.print(words)
    return nullcontext()


def _of(event: dict[str, object], run_id: str) -> bool:
    data = event["data"]
    return isinstance(data, dict) and data.get("run_id") == run_id


def stop_all(console: Console, but: Path | None = None) -> None:
    """Stop every demo that runs.

    :param but: leave this one alone.
    """
    for folder in sorted((ROOT / ".run").glob("*/processes")):
        if folder.parent != but:
            stopped = World(folder.parent, port=0).stop()
            if stopped:
                console.print(f"Stopped: {', '.join(stopped)}.")


def check_root(text: str | None) -> Path | None:
    """The folder to serve.

    :raises DemoError: it is none, or cannot be read.
    """
    if text is None:
        return None
    root = Path(text).expanduser().resolve()
    try:
        next(root.iterdir(), None)
    except OSError as error:
        raise DemoError(f"DRIVE_ROOT={text} cannot be served as a Drive: {error.strerror}. Name a folder.") from error
    return root


def check_disk(folder: Path) -> None:
    """See that there is room for a database, logs and blobs.

    :raises DemoError: there is not.
    """
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise DemoError(
            f"Only {human_bytes(free)} of disk are free in {folder}; the demo needs {human_bytes(DISK_BYTES)}, and as "
            "much again as the files that it shall back up."
        )


def tcp_port(text: str) -> int:
    """A port's number.

    :raises argparse.ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"'{text}' is no port; write a number from 1 to 65535")
    return int(text)


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--drive-root", help="serve this folder as the Drive")
    parser.add_argument("--airflow-port", type=tcp_port, default=8080)
    parser.add_argument("--stop", action="store_true", help="stop what a demo left running")
    given = parser.parse_args()
    console = Console()
    stop_once()
    world: World | None = None
    try:
        if given.stop:
            stop_all(console)
            return 0
        root = check_root(given.drive_root)
        check_disk(ROOT)
        folder = folder_for(root)
        stop_all(console, but=folder)
        world = World(folder, given.airflow_port, root, write_config(folder / "drive_backup.yaml"))
        return demo(console, world)
    except DemoError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        return 2
    except (KeyboardInterrupt, OSError) as reason:
        # An OSError too: the terminal may be closed, and the disk full.
        with suppress(OSError):
            said = f"The demo cannot go on: {reason}." if isinstance(reason, OSError) else ""
            console.print(f"\n{said} Stopping everything that was started …".replace("\n ", "\n"), highlight=False)
        if world is not None:
            world.stop()
        return 2 if isinstance(reason, OSError) else 130


if __name__ == "__main__":
    sys.exit(main())
