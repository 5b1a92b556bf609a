"""Links: the third layer of AMQP (part 2, 2.6). A producer sends to us, a consumer reads from us.

A link knows its session only through what it needs of it: sending frames and deliveries.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from include.local_cloud.eventhubs.codec import CodecError, Symbol, Timestamp, UInt, ULong
from include.local_cloud.eventhubs.frames import (
    ACCEPTED,
    AmqpError,
    Attach,
    Detach,
    Disposition,
    Flow,
    Transfer,
    rejected,
)
from include.local_cloud.eventhubs.hub import Partition
from include.local_cloud.eventhubs.message import stamped

#: The size of an event or a batch ("Event Hubs quotas": 1 MB from the standard tier on).
MAX_MESSAGE = 1_048_576
CREDIT = 1000
#: Deliveries that a consumer gets before others have a turn.
TURN = 128
RUNTIME_METRIC = Symbol("com.microsoft:enable-receiver-runtime-metric")

#: What becomes of one message: nothing is returned when it is accepted.
Receive = Callable[[bytes, int | None], None]


class Session(Protocol):
    """What a link needs of its session."""

    def send(self, performative: Any) -> None:
        """Write a frame."""

    def flow(self, **link: Any) -> None:
        """Write a flow with the session's windows."""

    def deliver(self, transfer: Transfer, payload: bytes) -> None:
        """Write one delivery, in as many frames as it takes."""

    def ready(self) -> bool:
        """Whether the peer takes another delivery now."""


class Link:
    """What both directions have in common.

    Our handle is the peer's: it is free on our side whenever it is on theirs.
    """

    def __init__(self, session: Session, attach: Attach) -> None:
        self.session = session
        self.attach = attach
        self.detached = False

    def confirm(self, **fields: Any) -> None:
        """Answer the peer's attach; source and target as it wrote them."""
        mine = self.attach._replace(role=not self.attach.role, unsettled=None, incomplete_unsettled=None)
        self.session.send(mine._replace(max_message_size=ULong(MAX_MESSAGE), **fields))

    def refuse(self, error: AmqpError) -> None:
        """Attach without a terminus, then detach with the reason (part 2, 2.6.3)."""
        self.confirm(source=None, target=None, initial_delivery_count=UInt(0))
        self.detach(error)

    def detach(self, error: AmqpError | None = None) -> None:
        """Close the link from our side."""
        if not self.detached:
            self.detached = True
            self.session.send(Detach(self.attach.handle, closed=True, error=error.encoded() if error else None))
            self.closed()

    def on_flow(self, flow: Flow) -> None:
        """The peer updates its credit or asks for ours."""

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:  # noqa: ARG002 - for those that take any
        """A frame of a delivery came."""
        raise AmqpError("amqp:not-allowed", "A transfer came on a link that only reads.")

    def wake(self) -> None:
        """There may be something to do."""

    def closed(self) -> None:
        """The link is gone."""


class IncomingLink(Link):
    """The peer sends. Pieces are put together; what is too large is rejected, as the service does it."""

    def __init__(self, session: Session, attach: Attach, receive: Receive) -> None:
        super().__init__(session, attach)
        self._receive = receive
        self._count = int(attach.initial_delivery_count or 0)
        self._credit = 0
        self._first: Transfer | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    def open(self) -> None:
        """Confirm and give credit."""
        self.confirm(initial_delivery_count=None)
        self._grant()

    def on_flow(self, flow: Flow) -> None:
        """The peer wants to know its credit."""
        if flow.echo:
            self._grant()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Keep a piece; take the message when it is whole."""
        if transfer.aborted:
            self._start_over()
            return
        self._first = self._first or transfer
        self._size += len(payload)
        if self._size <= MAX_MESSAGE:  # the rest of one that is too large is only counted
            self._pieces.append(payload)
        if not transfer.more:
            self._complete(self._first, transfer)

    def _complete(self, first: Transfer, last: Transfer) -> None:
        body, size = b"".join(self._pieces), self._size
        self._start_over()
        self._count += 1
        self._credit -= 1
        error = self._take(first, body, size)
        if not (first.settled or last.settled):
            state = rejected(error) if error else ACCEPTED
            self.session.send(
                Disposition(role=True, first=first.delivery_id, last=first.delivery_id, settled=True, state=state)
            )
        if self._credit <= CREDIT // 2:
            self._grant()

    def _start_over(self) -> None:
        self._first, self._pieces, self._size = None, [], 0

    def _take(self, first: Transfer, body: bytes, size: int) -> AmqpError | None:
        if size > MAX_MESSAGE:
            return AmqpError(
                "amqp:link:message-size-exceeded",
                f"The received message (delivery-id:{first.delivery_id}, size:{size} bytes) exceeds the limit "
                f"({MAX_MESSAGE} bytes) currently allowed on the link.",
            )
        try:
            self._receive(body, first.message_format)
        except AmqpError as error:
            return error
        except CodecError as error:
            return AmqpError("amqp:decode-error", str(error))
        except OSError as error:
            return AmqpError("com.microsoft:server-busy", f"The event could not be kept: {error.strerror}.")
        return None

    def _grant(self) -> None:
        self._credit = CREDIT
        self.session.flow(
            handle=self.attach.handle, delivery_count=UInt(self._count & 0xFFFFFFFF), link_credit=UInt(CREDIT)
        )


class OutgoingLink(Link):
    """The peer receives, as much as it gives credit for. Deliveries are settled as they are sent."""

    def __init__(self, session: Session, attach: Attach) -> None:
        super().__init__(session, attach)
        self.credit = 0
        self._count = 0

    def open(self) -> None:
        """Confirm."""
        self.confirm(initial_delivery_count=UInt(0))

    def on_flow(self, flow: Flow) -> None:
        """The peer gives credit."""
        seen = self._count if flow.delivery_count is None else int(flow.delivery_count)
        if flow.link_credit is not None:
            self.credit = max(0, distance(self._count, seen) + int(flow.link_credit))
        self.wake()
        if flow.drain:
            self._count, self.credit = self._count + self.credit, 0
        if flow.drain or flow.echo:
            self.session.flow(
                handle=self.attach.handle,
                delivery_count=UInt(self._count & 0xFFFFFFFF),
                link_credit=UInt(self.credit),
                drain=bool(flow.drain),
            )

    def deliver(self, message: bytes) -> None:
        """Send one message; there must be credit."""
        self.credit -= 1
        self._count = (self._count + 1) & 0xFFFFFFFF
        tag = struct.pack(">I", self._count)
        transfer = Transfer(handle=self.attach.handle, delivery_tag=tag, message_format=UInt(0), settled=True)
        self.session.deliver(transfer, message)


class ReplyLink(OutgoingLink):
    """Carries the answers of ``$cbs`` and ``$management``."""

    def __init__(self, session: Session, attach: Attach) -> None:
        super().__init__(session, attach)
        self._waiting: list[bytes] = []

    def answer(self, message: bytes) -> None:
        """Send it now or when there is credit."""
        self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """Send what waits, as far as there is credit."""
        while self._waiting and self.credit and self.session.ready() and not self.detached:
            self.deliver(self._waiting.pop(0))


class ConsumerLink(OutgoingLink):
    """Reads one partition from a position on.

    :param start: sequence number of the first event to deliver.
    :param epoch: of an exclusive reader.
    """

    def __init__(
        self, session: Session, attach: Attach, partition: Partition, group: str, *, start: int, epoch: int | None
    ) -> None:
        super().__init__(session, attach)
        self.epoch = epoch
        self._partition = partition
        self._group = group
        self._next = start
        self._scheduled = False
        self._metrics = RUNTIME_METRIC in (attach.desired_capabilities or ())

    def wake(self) -> None:
        """Deliver in the next turn of the loop."""
        if not self._scheduled and not self.detached:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def steal(self, epoch: int) -> None:
        """A reader with an equal or higher epoch took over."""
        self.detach(
            AmqpError(
                "amqp:link:stolen",
                f"New receiver with higher epoch of '{epoch}' is created hence current receiver with epoch "
                f"'{self.epoch}' is getting disconnected.",
            )
        )

    def closed(self) -> None:
        """Make room for another reader."""
        self._partition.leave(self._group, self)

    def _pump(self) -> None:
        self._scheduled = False
        log = self._partition.log
        for _ in range(TURN):
            if self.detached or not self.credit or self._next >= log.next_sequence or not self.session.ready():
                return
            entry = log.read(self._next)
            self._next += 1
            self.deliver(stamped(entry, self._last_enqueued() if self._metrics else None))
        self.wake()

    def _last_enqueued(self) -> dict[Any, Any]:
        """What a consumer that tracks the last event of the partition is told with each delivery."""
        sequence, offset, enqueued = self._partition.log.last
        return {
            Symbol("last_enqueued_sequence_number"): sequence,
            Symbol("last_enqueued_offset"): str(offset),
            Symbol("last_enqueued_time_utc"): Timestamp(enqueued),
            Symbol("runtime_info_retrieval_time_utc"): Timestamp(time.time_ns() // 1_000_000),
        }


def distance(start: int, end: int) -> int:
    """How far ``end`` is beyond ``start``, for counters that wrap at 32 bits (RFC 1982); negative when it is behind."""
    gap = (end - start) & 0xFFFFFFFF
    return gap - (1 << 32) if gap >> 31 else gap
