"""``$cbs`` takes tokens, ``$management`` tells of hubs and partitions (Event Hubs protocol guide)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.local_cloud.eventhubs.auth import Authority, Claims, RefusedError
from include.local_cloud.eventhubs.codec import Array, Int, Timestamp
from include.local_cloud.eventhubs.frames import AmqpError
from include.local_cloud.eventhubs.hub import Hub, not_found
from include.local_cloud.eventhubs.message import Request, reply


def find_hub(hubs: Mapping[str, Hub], name: str) -> Hub:
    """A hub by name, without regard to case.

    :raises AmqpError: when there is none.
    """
    hub = hubs.get(name.lower())
    if hub is None:
        raise not_found(name)
    return hub


def put_token(request: Request, authority: Authority, claims: Claims, now: float) -> bytes:
    """Answer ``$cbs``: 202, or 401 with the reason."""
    properties = request.properties
    if properties.get("operation") != "put-token":
        return reply(request, 400, f"The operation '{properties.get('operation')}' is not supported.")
    kind, audience = str(properties.get("type", "")), str(properties.get("name", ""))
    try:
        expires = authority.check(kind, str(request.value), audience, now)
    except RefusedError as error:
        return reply(request, 401, str(error))
    claims.add(audience, expires)
    return reply(request, 202, "Accepted")


def manage(request: Request, hubs: Mapping[str, Hub], claims: Claims, now: float) -> bytes:
    """Answer ``$management``."""
    properties = request.properties
    if properties.get("operation") != "READ":
        return reply(request, 400, f"The operation '{properties.get('operation')}' is not supported.")
    try:
        claims.require(str(properties.get("name", "")), now)
        hub = find_hub(hubs, str(properties.get("name", "")))
        kind = properties.get("type")
        if kind == "com.microsoft:eventhub":
            return reply(request, 200, "OK", _describe_hub(hub))
        if kind == "com.microsoft:partition":
            return reply(request, 200, "OK", _describe_partition(hub, str(properties.get("partition", ""))))
    except AmqpError as error:
        status = {"amqp:unauthorized-access": 401, "amqp:not-found": 404}.get(error.condition, 400)
        return reply(request, status, error.description)
    return reply(request, 400, f"The type '{kind}' is not supported.")


def _describe_hub(hub: Hub) -> dict[str, Any]:
    return {
        "name": hub.name,
        "type": "com.microsoft:eventhub",
        "created_at": Timestamp(hub.created_at),
        "partition_count": Int(len(hub.partitions)),
        "partition_ids": Array(hub.partitions),
    }


def _describe_partition(hub: Hub, ident: str) -> dict[str, Any]:
    log = hub.partition(ident).log
    sequence, offset, enqueued = log.last
    return {
        "name": hub.name,
        "type": "com.microsoft:partition",
        "partition": ident,
        "begin_sequence_number": 0,
        "last_enqueued_sequence_number": sequence,
        "last_enqueued_offset": str(offset),
        "last_enqueued_time_utc": Timestamp(enqueued),
        "is_partition_empty": sequence < 0,
    }
