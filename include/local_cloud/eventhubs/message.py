"""Messages (AMQP 1.0 part 3, 3.2), as far as a broker looks into them.

A message is kept as it came. What Event Hubs adds is put between its header and its body when it is delivered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from include.local_cloud.eventhubs.codec import (
    CodecError,
    Described,
    Int,
    Symbol,
    Timestamp,
    ULong,
    decode,
    encode,
    skip,
)
from include.local_cloud.eventhubs.log import Entry

#: Message format of a batch: each data section holds a whole encoded message (Event Hubs protocol guide).
BATCH_FORMAT = 0x80013700

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APP_PROPERTIES, DATA = range(0x70, 0x76)
VALUE = 0x77
PARTITION_KEY = Symbol("x-opt-partition-key")


class Section(NamedTuple):
    """One section of an encoded message: its code, where it starts, where its value starts, where it ends."""

    code: int
    start: int
    value: int
    end: int


class Request(NamedTuple):
    """A request to ``$cbs`` or ``$management``."""

    message_id: Any
    reply_to: str | None
    properties: dict[str, Any]
    value: Any


def sections(message: bytes) -> list[Section]:
    """Where the sections of a message are.

    :raises CodecError: when it is no message.
    """
    found, position = [], 0
    while position < len(message):
        if message[position : position + 2] != b"\x00\x53":
            raise CodecError(f"There is no message section at byte {position}.")
        end = skip(message, position + 3)
        found.append(Section(message[position + 2], position, position + 3, end))
        position = end
    return found


def unpack(message: bytes, message_format: int | None) -> tuple[list[bytes], str | None]:
    """The events that one delivery carries, and its partition key.

    :raises CodecError: when it is no message, or a batch without events.
    """
    parts = sections(message)
    key = _annotations(message, parts).get(PARTITION_KEY)
    if message_format != BATCH_FORMAT:
        return [message], key
    events = [decode(message, part.value)[0] for part in parts if part.code == DATA]
    if not events:
        raise CodecError("A batch holds no event.")
    return ([keyed(event, key) for event in events] if key is not None else events), key


def keyed(event: bytes, key: str) -> bytes:
    """The event with the batch's partition key, which is in the annotations of the outer message only."""
    return _annotated(event, {PARTITION_KEY: key})


def stamped(entry: Entry, delivery_annotations: dict[Any, Any] | None = None) -> bytes:
    """The event as a consumer gets it."""
    stamp = {
        Symbol("x-opt-sequence-number"): entry.sequence,
        Symbol("x-opt-offset"): str(entry.offset),
        Symbol("x-opt-enqueued-time"): Timestamp(entry.enqueued),
    }
    return _annotated(entry.message, stamp, delivery_annotations)


def _annotated(message: bytes, more: dict[Any, Any], delivery: dict[Any, Any] | None = None) -> bytes:
    parts = sections(message)
    header = b"".join(message[part.start : part.end] for part in parts if part.code == HEADER)
    rest = b"".join(message[part.start : part.end] for part in parts if part.code > ANNOTATIONS)
    middle = encode(Described(ULong(ANNOTATIONS), _annotations(message, parts) | more))
    if delivery is not None:
        middle = encode(Described(ULong(DELIVERY_ANNOTATIONS), delivery)) + middle
    return header + middle + rest


def _annotations(message: bytes, parts: list[Section]) -> dict[Any, Any]:
    for part in parts:
        if part.code == ANNOTATIONS:
            value = decode(message, part.value)[0]
            return value if isinstance(value, dict) else {}
    return {}


def parse_request(message: bytes) -> Request:
    """Read a request.

    :raises CodecError: when it is no message.
    """
    values = {part.code: decode(message, part.value)[0] for part in sections(message)}
    properties = [*(values.get(PROPERTIES) or []), *[None] * 5]
    return Request(properties[0], properties[4], values.get(APP_PROPERTIES) or {}, values.get(VALUE))


def reply(request: Request, status: int, description: str, value: Any = None) -> bytes:
    """A response: ``azure-eventhub`` reads 13 property fields, and finds its request by the correlation id."""
    fields = [None] * 5 + [request.message_id] + [None] * 7
    answer = {"status-code": Int(status), "status-description": description}
    body = (
        Described(ULong(PROPERTIES), fields),
        Described(ULong(APP_PROPERTIES), answer),
        Described(ULong(VALUE), value),
    )
    return b"".join(encode(part) for part in body)
