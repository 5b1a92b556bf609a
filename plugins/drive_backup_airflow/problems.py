"""What failed tasks said, kept in the container until the alert of their run tells it: one alert for each failed run.

A run's own callback runs where nothing is known of its tasks but their states. So each task that fails for good writes
its sentence into the run's work area, and the callback reads them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

from include.drive_backup.blob.names import encode_segment
from include.drive_backup.events.envelope import Fact
from include.drive_backup.model import Struct, counted
from include.drive_backup.values import decode_json

#: So many problems are told in full.
_MOST = 5


class Problem(Struct, frozen=True):
    """A task that failed for good, and why."""

    task: str
    message: str
    log_url: str | None = None


class Alert(Struct, frozen=True):
    """What a notifier tells a person; in its templates ``drive_backup.subject``, ``.text`` and ``.html``."""

    subject: str
    text: str

    @property
    def html(self) -> str:
        """The text for a mail in HTML."""
        return escape(self.text).replace("\n", "<br>\n")


def problem_of(fact: Fact, error: Any) -> Problem:
    """The problem of a task, from its event and what it raised."""
    task = fact.task_id or "unknown"
    where = f"{task}[{fact.map_index}]" if fact.map_index is not None and fact.map_index >= 0 else task
    from airflow.sdk._shared.secrets_masker import redact  # noqa: PLC0415 - only when something failed

    said = fact.message if error is None else str(redact(str(error) or type(error).__name__))
    return Problem(task=where, message=said, log_url=fact.log_url)


async def note_problem(fact: Fact, problem: Problem, blob_conn_id: str, container: str) -> None:
    """Write it down for the run's alert.

    :param fact: that the task failed.

    :param blob_conn_id: connection of type ``wasb``.
    """
    from drive_backup_airflow.wiring import open_store  # noqa: PLC0415 - costs a second

    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    name = f"{_prefix(fact)}{moment}-{secrets.token_hex(4)}.json"
    async with open_store(blob_conn_id, container) as store:
        await store.put(name, msgspec.json.encode(problem), content_type="application/json")


async def read_problems(fact: Fact, blob_conn_id: str, container: str) -> tuple[list[Problem], int]:
    """The first problems of a run, and how many there are; none of before it was cleared.

    :param fact: that the run failed.
    """
    from drive_backup_airflow.wiring import open_store  # noqa: PLC0415 - costs a second

    async with open_store(blob_conn_id, container) as store:
        names = [info.name async for info in store.list(_prefix(fact))]
        found = [await store.read(name) for name in sorted(names)[:_MOST]]
    return [decode_json(data, Problem) for data in found if data is not None], len(names)


def alert_of(fact: Fact, problems: Sequence[Problem] = (), there_are: int = 0) -> Alert:
    """What a person reads: which DAG and run, what happened, why, and where the logs are.

    :param there_are: so many problems in all.
    """
    what = "waits for an approval" if fact.kind == "approval.needed" else "failed"
    lines = [fact.message]
    for problem in problems:
        lines += ["", f"{problem.task}: {problem.message}", *([f"Log: {problem.log_url}"] if problem.log_url else [])]
    if there_are > len(problems):
        lines += ["", f"… and {counted(there_are - len(problems), 'more failed task')}."]
    if fact.log_url and not problems:
        lines += ["", f"Log: {fact.log_url}"]
    return Alert(subject=f"Drive Backup: {fact.dag_id} {what}", text="\n".join(lines))


def _prefix(fact: Fact) -> str:
    return f"work/run/{encode_segment(fact.run_id)}/failed/{encode_segment(fact.dag_id)}/{fact.clear_number}/"
