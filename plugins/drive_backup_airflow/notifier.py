"""Callbacks that send events and call further notifiers.

Imports little, because the DAG processor and every task process import it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseNotifier
from msgspec.structs import replace

from drive_backup_airflow.events import emit, event_of, spool
from drive_backup_airflow.facts import ended_for_good, fact_of
from drive_backup_airflow.problems import Problem, alert_of, note_problem, problem_of, read_problems
from include.drive_backup.events.emitter import last_resort
from include.drive_backup.events.envelope import Event, Fact, Kind, Severity

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.drive_backup.settings import Config

#: Seconds for one callback in all. Airflow kills a task whose callbacks take 20 s (`task_success_overtime`).
LIMIT = 12.0

#: What further notifiers are called for: one alert for each failed run, and for each question to a person.
ALERTS = ("run.failed", "approval.needed")
#: Seconds of these for reading what failed tasks said.
_READING = 5.0
#: What a further notifier gets for arguments that it takes as templates and that the config does not give.
_TEMPLATES = {
    "subject": "{{ drive_backup.subject }}",
    "html_content": "{{ drive_backup.html }}",
    "text": "{{ drive_backup.text }}",
    "message": "{{ drive_backup.text }}",
    "body": "{{ drive_backup.text }}",
}

log = logging.getLogger(__name__)


class DriveBackupNotifier(BaseNotifier):
    """An ``on_…_callback`` of a task or a DAG. Never raises, and returns within :data:`LIMIT` seconds.

    :param event: the kind of event, such as ``task.failed``.
    :param event_hubs_conn_id: connection of type ``azure_event_hubs``; None sends no events.
    :param blob_conn_id: connection of type ``wasb``, for the outbox.
    :param container: holds the outbox.
    :param severity: instead of the kind's own.
    :param notifiers: further notifiers to call for :data:`ALERTS`, as ``{"class": "dotted.path", "kwargs": {…}}``.
    """

    def __init__(
        self,
        event: Kind,
        *,
        event_hubs_conn_id: str | None = "drive_backup_events",
        blob_conn_id: str = "drive_backup_blob",
        container: str = "drive-backup",
        severity: Severity | None = None,
        notifiers: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__()
        self.event = event
        self.event_hubs_conn_id = event_hubs_conn_id
        self.blob_conn_id = blob_conn_id
        self.container = container
        self.severity = severity
        self.notifiers = [dict(each) for each in notifiers]

    @classmethod
    def factory(cls, config: Config) -> Callable[[Kind], DriveBackupNotifier]:
        """Notifiers as the config file says; its further notifiers are called for what ends badly for good."""
        further = [{"class": each.class_, "kwargs": each.kwargs} for each in config.notifiers]
        return lambda kind: cls(
            kind,
            event_hubs_conn_id=config.connections.events,
            blob_conn_id=config.connections.blob,
            container=config.storage.container,
            notifiers=further if kind in (*ALERTS, "task.failed") else (),
        )

    def __call__(self, *args: Any) -> None:
        """As Airflow calls it; without templates there is nothing to render, and nothing that could raise."""
        self.notify(args[0])

    def notify(self, context: Context) -> None:
        """Send the event and call the further notifiers, all at once."""
        try:
            self._notify(context)
        except Exception:
            log.exception("The notifier for %s failed; the task and the run are not affected.", self.event)

    async def async_notify(self, context: Context) -> None:
        """As :meth:`notify`, for deadline alerts in the triggerer."""
        await asyncio.to_thread(self.notify, context)

    def _notify(self, context: Context) -> None:
        if self.event == "task.retried" and ended_for_good(context):
            log.info("Airflow has ended this task for good: there is no retry to tell of.")
            return
        ends = time.monotonic() + LIMIT
        fact = fact_of(self.event, context, self.severity)
        if self.event in ALERTS:
            alert = alert_of(fact, *(self._problems(fact) if self.event == "run.failed" else ()))
            fact = replace(fact, message=alert.text)
            context = cast("Context", {**context, "drive_backup": alert})
        jobs: dict[str, Callable[[], object]] = {
            f"notifier {index} ({each.get('class')})": partial(_call, each, context)
            for index, each in enumerate(self.notifiers if self.event in ALERTS else (), start=1)
        }
        event = event_of(fact)
        if self.event_hubs_conn_id is not None:
            jobs["event"] = partial(self._send, event, self.event_hubs_conn_id)
        if self.event == "task.failed" and (self.notifiers or self.event_hubs_conn_id is not None):
            jobs["note for the run's alert"] = partial(self._note, fact, context)
        unfinished = run_all(jobs, ends - time.monotonic())
        if "event" in unfinished:
            last_resort(spool(), [event])

    def _problems(self, fact: Fact) -> tuple[list[Problem], int]:
        """What the run's tasks said, and how many did; nothing when the container does not answer."""
        found: list[tuple[list[Problem], int]] = []

        def read() -> None:
            found.append(asyncio.run(read_problems(fact, self.blob_conn_id, self.container)))

        run_all({"reading of what the tasks said": read}, _READING)
        return found[0] if found else ([], 0)

    def _note(self, fact: Fact, context: Context) -> None:
        problem = problem_of(fact, context.get("exception"))
        asyncio.run(note_problem(fact, problem, self.blob_conn_id, self.container))

    def _send(self, event: Event, event_hubs_conn_id: str) -> None:
        asyncio.run(emit([event], event_hubs_conn_id, self.blob_conn_id, self.container))


def run_all(jobs: Mapping[str, Callable[[], object]], limit: float) -> list[str]:
    """Run jobs at the same time and wait for them, but not longer than ``limit`` seconds.

    Daemon threads, because nothing else can be left behind: a look-up in a dead vault or a DNS query cannot be stopped.

    :return: names of those that failed or have not finished.
    """
    failed: set[str] = set()

    def run(name: str, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - one notifier must not keep another from its work
            failed.add(name)
            log.error("The %s failed: %s: %s", name, type(error).__name__, error)  # noqa: TRY400 - not our traceback

    threads = {name: threading.Thread(target=run, args=(name, job), daemon=True) for name, job in jobs.items()}
    end = time.monotonic() + limit
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            failed.add(name)
            log.error("The %s has not finished within %g s and is left behind.", name, limit)
    return sorted(failed)


def _call(spec: Mapping[str, Any], context: Context) -> None:
    """Make a further notifier and call it.

    :raises TypeError: the class is no notifier.
    """
    from airflow.sdk._shared.module_loading import import_string  # noqa: PLC0415 - only where there are any

    kind = import_string(spec["class"])
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise TypeError(f"{spec['class']} is no notifier: name a subclass of airflow.sdk.BaseNotifier in the config.")
    arguments: dict[str, Any] = _defaults(kind) | dict(spec.get("kwargs", {}))
    kind(**arguments)(context)


def _defaults(kind: type[BaseNotifier]) -> dict[str, str]:
    """Templates for what a notifier takes: with an alert of its own, nobody has to write one."""
    taken = inspect.signature(kind).parameters.keys() & set(getattr(kind, "template_fields", ()))
    return {name: template for name, template in _TEMPLATES.items() if name in taken}
