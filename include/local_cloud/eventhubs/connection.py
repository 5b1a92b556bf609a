"""Connections: headers, SASL, frames, heartbeats (AMQP 1.0 part 2, 2.2-2.4; part 5, 5.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from include.local_cloud.eventhubs.auth import Claims
from include.local_cloud.eventhubs.codec import CodecError, UByte, UInt, UShort
from include.local_cloud.eventhubs.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    SASL_HEADER,
    SASL_TYPE,
    AmqpError,
    Attach,
    Begin,
    Close,
    Detach,
    End,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
    frame,
    parse,
    symbols,
)
from include.local_cloud.eventhubs.session import Namespace, ServerSession

MAX_FRAME = 65_536
#: Event Hubs wants SASL first and then a token on ``$cbs``, so that here everybody is anonymous.
MECHANISMS = ("ANONYMOUS", "EXTERNAL")


class ServerConnection(asyncio.Protocol):
    """One client. What goes wrong on it is told to it with a close, and touches no other."""

    def __init__(self, namespace: Namespace, connections: set[ServerConnection]) -> None:
        self.claims = Claims()
        self.max_frame = MAX_FRAME
        self._namespace = namespace
        self._connections = connections
        self._buffer = bytearray()
        self._sessions: dict[int, ServerSession] = {}
        self._secured = False
        self._take: Callable[[], bool] = self._take_header
        self._paused = False
        self._heartbeat: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - given by asyncio
        """The client is gone."""
        self._connections.discard(self)
        if self._heartbeat:
            self._heartbeat.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        for session in self._sessions.values():
            session.wake()

    def writable(self) -> bool:
        """Whether the peer reads as fast as we write."""
        return not self._paused and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write bytes, unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Take whatever is complete."""
        self._buffer += data
        try:
            while not self._transport.is_closing() and self._take():
                pass
        except AmqpError as error:
            self.close(error)
        except CodecError as error:
            self.close(AmqpError("amqp:decode-error", str(error)))

    def close(self, error: AmqpError | None = None) -> None:
        """Say good-bye."""
        if self._take == self._take_frame:
            self.write(frame(Close(error.encoded() if error else None)))
        self._transport.close()

    def _take_header(self) -> bool:
        if len(self._buffer) < 8:
            return False
        header = bytes(self._buffer[:8])
        expected = AMQP_HEADER if self._secured else SASL_HEADER
        del self._buffer[:8]
        self.write(expected)
        if header != expected:  # the peer learns what we speak, and that is all (part 2, 2.2)
            self._transport.close()
            return False
        if not self._secured:
            self.write(frame(SaslMechanisms(symbols(*MECHANISMS)), kind=SASL_TYPE))
        self._take = self._take_frame
        return True

    def _take_frame(self) -> bool:
        if len(self._buffer) < 8:
            return False
        size = int.from_bytes(self._buffer[:4], "big")
        if not 8 <= size <= MAX_FRAME:
            raise AmqpError("amqp:connection:framing-error", f"A frame of {size} bytes is not allowed.")
        if len(self._buffer) < size:
            return False
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        channel, performative, payload = parse(data)
        if performative is not None:
            self._dispatch(channel, performative, payload)
        return True

    def _dispatch(self, channel: int, performative: Any, payload: bytes) -> None:
        if not self._secured:
            self._on_sasl(performative)
        elif isinstance(performative, Open):
            self._on_open(performative)
        elif isinstance(performative, Close):
            self.close()
        elif isinstance(performative, Begin):
            self._sessions[channel] = ServerSession(self, channel, performative, self._namespace)
        else:
            self._on_session_frame(channel, performative, payload)

    def _on_sasl(self, performative: Any) -> None:
        chosen = isinstance(performative, SaslInit) and performative.mechanism in MECHANISMS
        self.write(frame(SaslOutcome(UByte(0 if chosen else 1)), kind=SASL_TYPE))
        if not chosen:
            self._transport.close()
            return
        self._secured = True
        self._take = self._take_header

    def _on_open(self, theirs: Open) -> None:
        if theirs.max_frame_size is not None:
            self.max_frame = max(512, min(MAX_FRAME, theirs.max_frame_size))
        self.write(
            frame(
                Open(
                    container_id="drive-backup-local-event-hubs",
                    max_frame_size=UInt(MAX_FRAME),
                    channel_max=UShort(4999),
                )
            )
        )
        if theirs.idle_timeout:
            self._beat(theirs.idle_timeout / 2000)

    def _beat(self, seconds: float) -> None:
        """Empty frames keep a peer with an idle time-out from giving up (part 2, 2.4.5)."""
        self.write(EMPTY_FRAME)
        self._heartbeat = asyncio.get_running_loop().call_later(seconds, self._beat, seconds)

    def _on_session_frame(self, channel: int, performative: Any, payload: bytes) -> None:
        session = self._sessions.get(channel)
        if session is None:
            raise AmqpError("amqp:not-allowed", f"There is no session on channel {channel}.")
        if isinstance(performative, Transfer):
            session.on_transfer(performative, payload)
        elif isinstance(performative, Flow):
            session.on_flow(performative)
        elif isinstance(performative, Attach):
            session.on_attach(performative)
        elif isinstance(performative, Detach):
            session.on_detach(performative)
        elif isinstance(performative, End):
            self._sessions.pop(channel).close()
            self.write(frame(End(), channel))
