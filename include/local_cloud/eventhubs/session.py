"""Sessions: windows, handles, and which link an attach asks for (AMQP 1.0 part 2, 2.5 and 2.6)."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from include.local_cloud.eventhubs.address import NODES, Address, parse_address, terminus_address, terminus_filters
from include.local_cloud.eventhubs.auth import Authority, Claims
from include.local_cloud.eventhubs.codec import UInt
from include.local_cloud.eventhubs.frames import AmqpError, Attach, Begin, Detach, Flow, Transfer, frame
from include.local_cloud.eventhubs.hub import Hub
from include.local_cloud.eventhubs.links import (
    ConsumerLink,
    IncomingLink,
    Link,
    ReplyLink,
    distance,
)
from include.local_cloud.eventhubs.message import parse_request, unpack
from include.local_cloud.eventhubs.nodes import find_hub, manage, put_token
from include.local_cloud.eventhubs.selector import start_of

#: We take what comes; the log is as fast as the wire.
WINDOW = UInt(0x7FFFFFFF)


class Namespace(NamedTuple):
    """What a server offers: hubs by lower-case name, and what tokens are checked against."""

    hubs: Mapping[str, Hub]
    authority: Authority


class Connection(Protocol):
    """What a session needs of its connection."""

    claims: Claims
    max_frame: int

    def write(self, data: bytes) -> None:
        """Write bytes."""

    def writable(self) -> bool:
        """Whether the peer reads as fast as we write."""


class ServerSession:
    """One session on one channel; ours has the peer's number."""

    def __init__(self, connection: Connection, channel: int, begin: Begin, namespace: Namespace) -> None:
        self._connection = connection
        self._channel = channel
        self._namespace = namespace
        self._links: dict[int, Link] = {}
        self._next_incoming = int(begin.next_outgoing_id or 0)
        self._next_outgoing = 0
        self._next_delivery = 0
        self._window = int(begin.incoming_window or 0)
        self.send(
            Begin(
                remote_channel=channel,
                next_outgoing_id=UInt(0),
                incoming_window=WINDOW,
                outgoing_window=WINDOW,
                handle_max=UInt(255),
            )
        )

    def send(self, performative: Any) -> None:
        """Write a frame on this channel."""
        self._connection.write(frame(performative, self._channel))

    def flow(self, **link: Any) -> None:
        """Write a flow with the session's windows."""
        self.send(
            Flow(
                next_incoming_id=UInt(self._next_incoming & 0xFFFFFFFF),
                incoming_window=WINDOW,
                next_outgoing_id=UInt(self._next_outgoing & 0xFFFFFFFF),
                outgoing_window=WINDOW,
                **link,
            )
        )

    def ready(self) -> bool:
        """Whether the peer takes another delivery now."""
        return self._window > 0 and self._connection.writable()

    def deliver(self, transfer: Transfer, payload: bytes) -> None:
        """Write one delivery, cut to the peer's frame size. The window is checked between deliveries only."""
        transfer = transfer._replace(delivery_id=UInt(self._next_delivery & 0xFFFFFFFF), more=True)
        self._next_delivery += 1
        room = self._connection.max_frame - len(frame(transfer, self._channel))
        while len(payload) > room:
            self._write(transfer, payload[:room])
            payload = payload[room:]
        self._write(transfer._replace(more=False), payload)

    def _write(self, transfer: Transfer, payload: bytes) -> None:
        self._next_outgoing += 1
        self._window -= 1
        self._connection.write(frame(transfer, self._channel, payload))

    def wake(self) -> None:
        """Everything that waits may go on."""
        for link in tuple(self._links.values()):
            link.wake()

    def close(self) -> None:
        """The session is gone, and its links with it."""
        for link in self._links.values():
            link.detached = True
            link.closed()
        self._links.clear()

    def on_flow(self, flow: Flow) -> None:
        """The peer tells its windows, and perhaps a link's credit."""
        seen = 0 if flow.next_incoming_id is None else int(flow.next_incoming_id)
        self._window = max(0, distance(self._next_outgoing, seen) + int(flow.incoming_window))
        if flow.handle is None:
            self.wake()
            if flow.echo:
                self.flow()
            return
        link = self._link(flow.handle)
        if link is not None:
            link.on_flow(flow)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a delivery came."""
        self._next_incoming += 1
        link = self._link(transfer.handle)
        if link is None:
            return
        try:
            link.on_transfer(transfer, payload)
        except AmqpError as error:
            link.detach(error)

    def on_detach(self, detach: Detach) -> None:
        """The peer closes a link, or confirms that we did."""
        link = self._links.pop(detach.handle, None)
        if link is not None and not link.detached:
            link.detached = True
            link.closed()
            self.send(Detach(detach.handle, closed=bool(detach.closed)))

    def on_attach(self, attach: Attach) -> None:
        """The peer opens a link."""
        if attach.handle in self._links:
            raise AmqpError("amqp:session:handle-in-use", f"The handle {attach.handle} is in use.")
        refusal = Link(self, attach)
        try:
            link = self._outgoing(attach) if attach.role else self._incoming(attach)
        except AmqpError as error:
            self._links[attach.handle] = refusal
            refusal.refuse(error)
            return
        self._links[attach.handle] = link
        link.open()

    def _link(self, handle: int) -> Link | None:
        """A live link. Frames for one that we closed are still under way, and mean nothing."""
        link = self._links.get(handle)
        if link is None:
            raise AmqpError("amqp:session:unattached-handle", f"The handle {handle} is not attached.")
        return None if link.detached else link

    def _incoming(self, attach: Attach) -> IncomingLink:
        target = terminus_address(attach.target)
        if target in NODES:
            return IncomingLink(self, attach, functools.partial(self._request, target))
        address, hub = self._enter(target)
        if address.partition is not None:
            hub.partition(address.partition)
        return IncomingLink(self, attach, functools.partial(self._publish, address, hub))

    def _outgoing(self, attach: Attach) -> ReplyLink | ConsumerLink:
        source = terminus_address(attach.source)
        if source in NODES:
            return ReplyLink(self, attach)
        address, hub = self._enter(source)
        group = (address.group or "$default").lower()
        hub.check_group(group)
        partition = hub.partition(address.partition or "")
        epoch = (attach.properties or {}).get("com.microsoft:epoch")
        start = start_of(terminus_filters(attach.source), partition.log)
        link = ConsumerLink(self, attach, partition, group, start=start, epoch=epoch)
        partition.join(group, link)
        return link

    def _enter(self, text: str) -> tuple[Address, Hub]:
        """The hub that a link asks for, if the connection may use it."""
        address = parse_address(text)
        self._connection.claims.require(address.path, time.time())
        return address, find_hub(self._namespace.hubs, address.hub)

    def _publish(self, address: Address, hub: Hub, body: bytes, message_format: int | None) -> None:
        self._connection.claims.require(address.path, time.time())
        events, key = unpack(body, message_format)
        hub.route(address.partition, key).append(events)

    def _request(self, node: str, body: bytes, _: int | None) -> None:
        request, now = parse_request(body), time.time()
        if node == "$cbs":
            answer = put_token(request, self._namespace.authority, self._connection.claims, now)
        else:
            answer = manage(request, self._namespace.hubs, self._connection.claims, now)
        replies = [
            link
            for link in self._links.values()
            if isinstance(link, ReplyLink) and not link.detached and terminus_address(link.attach.source) == node
        ]
        named = [link for link in replies if request.reply_to == terminus_address(link.attach.target)]
        for link in (named or replies)[-1:]:
            link.answer(answer)
