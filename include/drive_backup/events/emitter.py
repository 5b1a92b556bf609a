"""One call that tells the world, never raises, and never takes more than a few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Literal, TypeVar

from include.drive_backup.events.envelope import Event
from include.drive_backup.events.outbox import PREFIX, Outbox, name_of
from include.drive_backup.events.sink import EventSink, OutboxStore
from include.drive_backup.events.spool import LocalSpool

#: What became of emitted events: acknowledged by the hub; kept in Blob; kept on this machine; only in the log.
Delivery = Literal["sent", "kept", "spooled", "logged"]

BLOB_LIMIT = 1.5  # seconds for one step on the outbox
DRAIN_LIMIT = 3.0  # seconds for sending what waits

T = TypeVar("T")
log = logging.getLogger(__name__)


class Emitter:
    """Sends events in order, and keeps them in order when the hub is down.

    While anything waits, new events queue behind it. Where they wait: in Blob; when Blob is down too, in a folder on
    this machine, and each one complete in the log. Every call delivers what waits as far as its time goes.

    :param sink: Event Hubs, with a time limit of its own.
    :param store: the container with the outbox; None when there is none.
    :param spool: the folder of last resort.
    """

    def __init__(self, *, sink: EventSink, store: OutboxStore | None, spool: LocalSpool) -> None:
        self._sink = sink
        self._store = store
        self._blob = Outbox(store) if store is not None else None
        self._spool = spool
        self._local = Outbox(spool)

    async def emit(self, events: Sequence[Event]) -> Delivery:
        """Send, or keep for later. Never raises; takes 6 s at most with the limits above."""
        try:
            return await self._emit(events)
        except asyncio.CancelledError:
            last_resort(self._spool, events)  # the task is being stopped: this is the only thing that needs no waiting
            raise
        except Exception:
            log.exception("Sending events failed in a way that nobody foresaw; they are kept on this machine.")
            return last_resort(self._spool, events)

    async def drain(self, limit: float = DRAIN_LIMIT) -> int:
        """Send what waits, oldest first. Never raises.

        :param limit: seconds for sending.
        :return: how many were sent.
        """
        box = await self._box_to_drain()
        sent = await _within(limit, box.drain(self._sink), otherwise=0, what="sending the events that wait")
        if sent:
            log.info("%d event(s) that waited in the outbox were sent.", sent)
        return sent

    async def _emit(self, events: Sequence[Event]) -> Delivery:
        if await self._something_waits():
            outcome = await self._keep(events)
            await self.drain()
            return outcome
        if not events:
            return "sent"
        try:
            await self._sink.send(events)
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are kept
            log.warning("%d event(s) not sent, kept for later: %s", len(events), error)
            return await self._keep(events)
        return "sent"

    async def _box_to_drain(self) -> Outbox:
        waiting = len(self._spool.names(PREFIX))
        if self._store is None or self._blob is None:
            return self._local
        if not waiting:
            return self._blob
        # Into Blob first, so that there is one order; when Blob is still down, straight from this machine.
        move = self._local.move_to(self._store)
        moved = await _within(BLOB_LIMIT, move, otherwise=False, what="moving events from this machine to Blob")
        # An odd file that cannot be moved says nothing about Blob.
        blob_is_up = moved or len(self._spool.names(PREFIX)) < waiting
        return self._blob if blob_is_up else self._local

    async def _something_waits(self) -> bool:
        if self._spool.names(PREFIX):
            return True
        if self._blob is None:
            return False
        # Blob down: an alert now is worth more than the order with events that cannot be seen.
        return not await _within(BLOB_LIMIT, self._blob.is_empty(), otherwise=True, what="looking into the outbox")

    async def _keep(self, events: Sequence[Event]) -> Delivery:
        if self._blob is not None:
            work = self._blob.keep(events)
            if await _within(BLOB_LIMIT, work, otherwise=False, what="keeping events in Blob"):
                return "kept"
        return last_resort(self._spool, events)


def last_resort(spool: LocalSpool, events: Sequence[Event]) -> Delivery:
    """Keep events on this machine and in the log, at once and without waiting for anything."""
    outcome: Delivery = "spooled"
    for index, event in enumerate(events):
        log.error("Event not sent and not kept in Blob: %s", event.to_json().decode())
        try:
            spool.write(name_of(event, index), event.to_json())
        except OSError as error:
            outcome = "logged"
            log.error("It cannot be kept on this machine either (%s): the line above is all there is.", error)  # noqa: TRY400 - the reason says it all
    return outcome


async def _within(limit: float, work: Awaitable[T], *, otherwise: T, what: str) -> T:
    """The result of ``work``, or ``otherwise`` when it fails or takes more than ``limit`` seconds."""
    try:
        async with asyncio.timeout(limit):
            return await work
    except TimeoutError:
        log.warning("Gave up %s after %g s.", what, limit)
    except Exception as error:  # noqa: BLE001 - the caller has another way
        log.warning("Gave up %s: %s", what, error)
    return otherwise
