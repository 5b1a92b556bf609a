"""What arrived at a hub."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from azure.eventhub.aio import EventHubConsumerClient


async def received(connection_string: str, count: int, *, seconds: float = 10) -> list[tuple[str, dict]]:
    """(partition key, event) of the first ``count`` events, in the order of their arrival."""
    found: list = []
    done = asyncio.Event()

    async def on_event(_partition, message) -> None:
        found.append(message)
        if len(found) >= count:
            done.set()

    client = EventHubConsumerClient.from_connection_string(connection_string, consumer_group="$Default")
    async with client:
        reading = asyncio.create_task(client.receive(on_event=on_event, starting_position="-1"))
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), seconds)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    for message in found:
        assert message.content_type == "application/cloudevents+json; charset=utf-8"
        assert message.message_id == message.body_as_json()["id"]
    found.sort(key=lambda message: (message.enqueued_time, message.sequence_number))
    return [(message.partition_key.decode(), message.body_as_json()) for message in found]
