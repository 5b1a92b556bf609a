"""Watch a run from outside: phase from Airflow, files and bytes from what the batches record in Blob."""

from __future__ import annotations

import gzip
from typing import Any, Self

import msgspec
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from include.demo.api import AirflowApi
from include.demo.world import DAG_ID
from include.drive_backup.model import CopyResult, PlanRef, human_bytes
from include.drive_backup.work import results_prefix

CONTAINER = "drive-backup"
PHASES = {
    "resolve_sources": "resolve sources",
    "list_source": "list",
    "plan_batches": "plan",
    "copy_batch": "copy",
    "commit_snapshot": "commit",
    "report": "report",
}
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


class Recorded:
    """Files and bytes that the batches of some plans have recorded; reads each part once."""

    def __init__(self, container: ContainerClient) -> None:
        self.files = 0
        self.bytes = 0
        self._container = container
        self._seen: set[str] = set()

    def look(self, plans: list[PlanRef]) -> None:
        """Read what is new."""
        for plan in plans:
            prefix = results_prefix(plan.plan, 0).rpartition("batch-")[0]
            for blob in self._container.list_blob_names(name_starts_with=prefix):
                if blob not in self._seen:
                    self._seen.add(blob)
                    self._take(gzip.decompress(self._container.download_blob(blob).readall()))

    def _take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            result = msgspec.json.decode(line, type=CopyResult)
            self.files += 1
            self.bytes += result.content.size if result.content else 0


class RunWatch:
    """A live line for a run: phase, files, bytes, rate, time left.

    :param console: where to draw; without a terminal, a line per phase is printed instead.
    """

    def __init__(self, console: Console, api: AirflowApi, run_id: str, blob_connection_string: str) -> None:
        self._api = api
        self._run_id = run_id
        self._console = console
        self._recorded = Recorded(ContainerClient.from_connection_string(blob_connection_string, CONTAINER))
        self._plans: list[PlanRef] = []
        self._phase = ""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files  {task.fields[size]}  {task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._line = self._progress.add_task("starting", total=None, size="", rate="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def look(self) -> None:
        """Bring the line up to date."""
        phase = _phase(self._api.tasks(DAG_ID, self._run_id))
        if phase != self._phase and not self._console.is_terminal:
            self._console.print(f"  {phase} …")
        self._phase = phase
        if phase in ("copy", "commit", "report") and not self._plans:
            found = self._api.xcom(DAG_ID, self._run_id, "plan_batches", "plans") or []
            self._plans = [PlanRef.from_dict(each) for each in found]
        try:
            self._recorded.look(self._plans)
        except AzureError:
            return  # the next look shows it
        self._draw()

    def _draw(self) -> None:
        task = self._progress.tasks[0]
        files = sum(plan.copy_files for plan in self._plans)
        size = sum(plan.copy_bytes for plan in self._plans)
        self._progress.update(
            self._line,
            description=self._phase,
            total=files or None,
            completed=self._recorded.files,
            size=f"{human_bytes(self._recorded.bytes)} of {human_bytes(size)}" if size else "",
            rate=f"{task.speed:.0f} files/s" if task.speed else "",
        )


def _phase(tasks: list[dict[str, Any]]) -> str:
    """The first step of the flow that has not ended."""
    for task_id, words in PHASES.items():
        if any(task["task_id"] == task_id and task["state"] not in ENDED for task in tasks):
            return words
    return "done"
