"""Performatives and frames (AMQP 1.0 part 2, 2.3 and 2.7; part 5 for SASL).

Every performative is written with all its fields: ``azure-eventhub`` indexes them and fails with an IndexError where
the specification lets trailing nulls be left out.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, cast

from include.local_cloud.eventhubs.codec import Array, CodecError, Described, Symbol, ULong, decode, encode

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = struct.pack(">IBBH", 8, 2, 0, 0)
AMQP_TYPE, SASL_TYPE = 0, 1


class AmqpError(Exception):
    """A fault to tell the peer of.

    :param condition: the symbol, e.g. ``amqp:not-found``.
    :param description: a sentence.
    """

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition
        self.description = description

    def encoded(self) -> Described:
        """The ``error`` type."""
        return Described(ULong(0x1D), [Symbol(self.condition), self.description, None])


class Open(NamedTuple):
    """Negotiates a connection."""

    container_id: Any = None
    hostname: Any = None
    max_frame_size: Any = None
    channel_max: Any = None
    idle_timeout: Any = None
    outgoing_locales: Any = None
    incoming_locales: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: Any = None


class Begin(NamedTuple):
    """Begins a session on a channel."""

    remote_channel: Any = None
    next_outgoing_id: Any = None
    incoming_window: Any = None
    outgoing_window: Any = None
    handle_max: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: Any = None


class Attach(NamedTuple):
    """Attaches a link. ``role`` is true for the receiver."""

    name: Any = None
    handle: Any = None
    role: Any = None
    snd_settle_mode: Any = None
    rcv_settle_mode: Any = None
    source: Any = None
    target: Any = None
    unsettled: Any = None
    incomplete_unsettled: Any = None
    initial_delivery_count: Any = None
    max_message_size: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: Any = None


class Flow(NamedTuple):
    """Updates session windows and link credit."""

    next_incoming_id: Any = None
    incoming_window: Any = None
    next_outgoing_id: Any = None
    outgoing_window: Any = None
    handle: Any = None
    delivery_count: Any = None
    link_credit: Any = None
    available: Any = None
    drain: Any = None
    echo: Any = None
    properties: Any = None


class Transfer(NamedTuple):
    """Carries a message or a piece of one."""

    handle: Any = None
    delivery_id: Any = None
    delivery_tag: Any = None
    message_format: Any = None
    settled: Any = None
    more: Any = None
    rcv_settle_mode: Any = None
    state: Any = None
    resume: Any = None
    aborted: Any = None
    batchable: Any = None


class Disposition(NamedTuple):
    """Tells the outcome of deliveries."""

    role: Any = None
    first: Any = None
    last: Any = None
    settled: Any = None
    state: Any = None
    batchable: Any = None


class Detach(NamedTuple):
    """Detaches a link."""

    handle: Any = None
    closed: Any = None
    error: Any = None


class End(NamedTuple):
    """Ends a session."""

    error: Any = None


class Close(NamedTuple):
    """Closes a connection."""

    error: Any = None


class SaslMechanisms(NamedTuple):
    """What the server takes."""

    mechanisms: Any = None


class SaslInit(NamedTuple):
    """What the client chose."""

    mechanism: Any = None
    initial_response: Any = None
    hostname: Any = None


class SaslOutcome(NamedTuple):
    """0 is good."""

    code: Any = None
    additional_data: Any = None


_BY_CODE: dict[int, type[Any]] = {
    0x10: Open,
    0x11: Begin,
    0x12: Attach,
    0x13: Flow,
    0x14: Transfer,
    0x15: Disposition,
    0x16: Detach,
    0x17: End,
    0x18: Close,
    0x40: SaslMechanisms,
    0x41: SaslInit,
    0x44: SaslOutcome,
}
_CODES = {cls: ULong(code) for code, cls in _BY_CODE.items()}

ACCEPTED = Described(ULong(0x24), [])


def rejected(error: AmqpError) -> Described:
    """The ``rejected`` outcome."""
    return Described(ULong(0x25), [error.encoded()])


def frame(performative: Any, channel: int = 0, payload: bytes = b"", *, kind: int = AMQP_TYPE) -> bytes:
    """One frame, ready to be written."""
    body = encode(Described(_CODES[type(performative)], list(performative))) + payload
    return struct.pack(">IBBH", len(body) + 8, 2, kind, channel) + body


def parse(data: bytes) -> tuple[int, Any, bytes]:
    """Channel, performative and payload of one whole frame; the performative of an empty frame is None.

    :raises CodecError: when it is none that we know.
    """
    offset, _, channel = struct.unpack_from(">BBH", data, 4)
    body = data[offset * 4 :]
    if not body:
        return channel, None, b""
    described, end = decode(body)
    if not isinstance(described, Described) or described.descriptor not in _BY_CODE:
        raise CodecError("A frame's body is no performative.")
    kind = _BY_CODE[cast("int", described.descriptor)]
    if not isinstance(described.value, list) or len(described.value) > len(kind._fields):
        raise CodecError(f"The fields of {kind.__name__} are no list, or too many.")
    return channel, kind(*described.value), body[end:]


def symbols(*names: str) -> Array:
    """An array of symbols."""
    return Array(Symbol(name) for name in names)
