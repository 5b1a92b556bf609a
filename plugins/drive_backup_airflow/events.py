"""The emitter behind Airflow connections, for operators and for the notifier."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.facts import failed_tasks
from include.drive_backup.clock import SystemClock
from include.drive_backup.events.emitter import Delivery, Emitter
from include.drive_backup.events.envelope import Event, Fact, make_event
from include.drive_backup.events.spool import LocalSpool

if TYPE_CHECKING:
    from include.drive_backup.events.sink import EventSink
    from include.drive_backup.ports import BlobStore

#: Seconds for looking up the Blob connection and making its client.
OPEN_LIMIT = 3.0

log = logging.getLogger(__name__)


def spool() -> LocalSpool:
    """The folder of last resort, ``$AIRFLOW_HOME/drive_backup_outbox``."""
    return LocalSpool(Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "drive_backup_outbox")


def event_of(fact: Fact) -> Event:
    """The event of a fact, now. ``DRIVE_BACKUP_EVENT_ORIGIN`` names this Airflow when several share a hub."""
    origin = os.environ.get("DRIVE_BACKUP_EVENT_ORIGIN") or "/airflow"
    return make_event(fact, when=SystemClock().now(), origin=origin)


@asynccontextmanager
async def open_emitter(event_hubs_conn_id: str, blob_conn_id: str, container: str) -> AsyncIterator[Emitter]:
    """An emitter that is there whatever is down: without the hub it keeps events, without Blob it uses the disk.

    :param event_hubs_conn_id: connection of type ``azure_event_hubs``.
    :param blob_conn_id: connection of type ``wasb``.
    :param container: holds the outbox.
    """
    async with AsyncExitStack() as stack:
        store = await _open_store(stack, blob_conn_id, container)
        yield Emitter(sink=_sink(event_hubs_conn_id), store=store, spool=spool())


async def emit_facts(
    facts: Sequence[Fact], *, event_hubs_conn_id: str | None, blob_conn_id: str, container: str
) -> Delivery | None:
    """Tell the world. Never raises; takes a few seconds at most, beside the look-up of two connections.

    :param event_hubs_conn_id: None sends nothing.
    :return: what became of the events; None when there is no hub.
    """
    if event_hubs_conn_id is None:
        return None
    return await emit([event_of(fact) for fact in facts], event_hubs_conn_id, blob_conn_id, container)


async def emit(events: Sequence[Event], event_hubs_conn_id: str, blob_conn_id: str, container: str) -> Delivery:
    """As :func:`emit_facts`, for events that were made already. Without events it sends what waits."""
    async with open_emitter(event_hubs_conn_id, blob_conn_id, container) as emitter:
        return await emitter.emit(events)


async def emit_for_task_states(
    context: Mapping[str, Any], *, event_hubs_conn_id: str | None, blob_conn_id: str, container: str
) -> Delivery | None:
    """``task.failed`` for every task of the run that ended badly. For the task that runs last, whatever happened.

    A task that dies of SIGKILL on its last try has no callback at all. Those that had one are told again under the
    same id, so that nobody needs to know which is which.
    """
    try:
        ti = context["ti"]
        facts = failed_tasks(context, ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id))
    except Exception:
        log.exception("Airflow does not say how the run's tasks ended, so no events tell of those that failed.")
        facts = []
    return await emit_facts(
        facts, event_hubs_conn_id=event_hubs_conn_id, blob_conn_id=blob_conn_id, container=container
    )


def _sink(conn_id: str) -> EventSink:
    from drive_backup_airflow.hooks.eventhub import AzureEventHubsHook  # noqa: PLC0415 - costs 0.3 s

    try:
        return AzureEventHubsHook(conn_id).sink()
    except Exception as error:  # noqa: BLE001 - whatever it is, the events must be kept
        return _NoSink(error)


async def _open_store(stack: AsyncExitStack, conn_id: str, container: str) -> BlobStore | None:
    # Both imports cost a second, which must not count against the limit.
    import drive_backup_airflow.hooks.blob  # noqa: F401, PLC0415
    from drive_backup_airflow.wiring import open_store  # noqa: PLC0415

    try:
        async with asyncio.timeout(OPEN_LIMIT):
            return await stack.enter_async_context(open_store(conn_id, container))
    except Exception as error:  # noqa: BLE001 - the disk is the next place
        log.warning("The outbox in Blob cannot be used: %s", str(error) or "it did not answer in time")
        return None


class _NoSink:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def send(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - the protocol's signature
        raise self._error
