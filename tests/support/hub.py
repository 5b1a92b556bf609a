"""A real AMQP server for tests of events, and a reader of what arrived there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from azure.eventhub.aio import EventHubConsumerClient


@contextmanager
def running_hub(folder: Path, *, port: int = 0, hub: str = "drive-backup") -> Iterator[dict[str, str]]:
    """The stand-in on a free port. Yields its ready line: ``url`` and ``connection_string``."""
    command = [sys.executable, "-m", "include.local_cloud.eventhubs", "--state", str(folder), "--port", str(port)]
    with subprocess.Popen([*command, "--hub", hub], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)


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
