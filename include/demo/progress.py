"""Watch a run from outside: phase from Airflow, files and bytes from what the batches record in Blob."""

from __future__ import annotations

import gzip
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

import msgspec
from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from include.demo.api import AirflowApi
from include.demo.world import DAG_ID
from include.drive_backup.handover import PlanRef
from include.drive_backup.model import CopyResult, counted, human_bytes
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
WAITING = "wait for an earlier run"
PRINT_SECONDS = 10.0
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
                    self._take(self._lines(blob))

    def plans(self, place: str) -> list[PlanRef]:
        """The run's plans.

        :param place: where ``plan_batches`` put them.
        """
        found = self._container.list_blob_names(name_starts_with=f"{place}/plans-")
        lines = (line for blob in found for line in self._lines(blob))
        return [msgspec.json.decode(line, type=PlanRef) for line in lines]

    def _lines(self, blob: str) -> list[bytes]:
        return gzip.decompress(self._container.download_blob(blob).readall()).splitlines()

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            result = msgspec.json.decode(line, type=CopyResult)
            self.files += 1
            self.bytes += result.content.size if result.content else 0


class RunWatch:
    """A live line for a run: phase, files, bytes, rate, time left.

    :param console: where to draw; without a terminal, lines are printed now and then instead.
    """

    def __init__(self, console: Console, api: AirflowApi, run_id: str, blob_connection_string: str) -> None:
        self._api = api
        self._run_id = run_id
        self._console = console
        self._recorded = Recorded(ContainerClient.from_connection_string(blob_connection_string, CONTAINER))
        self._plans: list[PlanRef] = []
        self._phase = ""
        self._copying_since = 0.0
        self._printed = 0.0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._line = self._progress.add_task("starting", total=None, amount="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def look(self, state: str) -> None:
        """Bring the line up to date.

        :param state: of the run; Airflow queues it while an earlier run, e.g. an interrupted one, is not over.
        """
        phase = WAITING if state == "queued" else _phase(self._api.tasks(DAG_ID, self._run_id))
        news, self._phase = phase != self._phase, phase
        # Blob may be out of reach for a moment; the next look shows it.
        with suppress(AzureError):
            if phase in ("copy", "commit", "report") and not self._plans:
                place = self._api.xcom(DAG_ID, self._run_id, "plan_batches", "plans")
                self._plans = self._recorded.plans(place) if place else []
                self._copying_since = time.monotonic()
            self._recorded.look(self._plans)
        self._draw(news=news)

    def _draw(self, *, news: bool) -> None:
        now = time.monotonic()
        files = sum(plan.copy_files for plan in self._plans)
        size = sum(plan.copy_bytes for plan in self._plans)
        amount = _amount(self._recorded, files, size, now - self._copying_since) if self._phase == "copy" else ""
        self._progress.update(
            self._line,
            description=self._phase,
            total=files if self._phase == "copy" and files else None,
            completed=self._recorded.files,
            amount=amount,
        )
        if not self._console.is_terminal and (news or (amount and now - self._printed >= PRINT_SECONDS)):
            self._printed = now
            self._console.print(f"  {self._phase} … {amount}".rstrip(), soft_wrap=True)


def _amount(done: Recorded, files: int, size: int, seconds: float) -> str:
    """How much of how much, how fast, and how long still, which the slower of files and bytes decides."""
    words = f"{done.files:,} of {counted(files, 'file')}, {human_bytes(done.bytes)} of {human_bytes(size)}"
    if not done.files or seconds <= 0:
        return words
    part = min(done.files / files if files else 1, done.bytes / size if size and done.bytes else 1)
    left = timedelta(seconds=round(seconds * (1 / part - 1))) if 0 < part < 1 else timedelta()
    return f"{words}, {done.files / seconds:.0f} files/s, {human_bytes(done.bytes / seconds)}/s, {left} left"


def _phase(tasks: list[dict[str, Any]]) -> str:
    """The first step of the flow that has not ended."""
    for task_id, words in PHASES.items():
        if any(task["task_id"] == task_id and task["state"] not in ENDED for task in tasks):
            return words
    return "done"
