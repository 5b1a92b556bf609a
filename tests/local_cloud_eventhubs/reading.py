"""Reads a hub with the real client until enough has come."""

from __future__ import annotations

import threading

from azure.eventhub import EventData, EventHubConsumerClient


def read(connection: str, count: int, *, seconds: float = 15, group: str = "$Default", **options) -> list[EventData]:
    """The first ``count`` events from the start (or ``starting_position``), of all partitions or ``partition_id``."""
    found: list[EventData] = []
    failures: list[Exception] = []
    enough = threading.Event()

    def on_batch(context, events) -> None:
        for event in events:
            event.partition = context.partition_id
        found.extend(events)
        if len(found) >= count:
            enough.set()

    def on_error(context, error) -> None:
        failures.append(error)
        enough.set()

    options = {"starting_position": "-1"} | options
    client = EventHubConsumerClient.from_connection_string(connection, group, retry_total=0)
    receive = threading.Thread(
        target=client.receive_batch,
        kwargs={"on_event_batch": on_batch, "on_error": on_error, **options},
        daemon=True,
    )
    receive.start()
    came = enough.wait(seconds)
    client.close()
    receive.join(10)
    if failures:
        raise failures[0]
    assert came, f"{len(found)} of {count} events came within {seconds} seconds"
    return found


def texts(events: list[EventData]) -> list[str]:
    return [event.body_as_str() for event in events]
