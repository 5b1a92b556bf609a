"""Read events with Microsoft's own consumer: what arrived is what is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.eventhub import EventHubConsumerClient

Event = dict[str, Any]


def read_events(
    connection_string: str, hub: str, enough: Callable[[list[Event]], bool] = lambda _: False, timeout: float = 5
) -> list[Event]:
    """All events of a hub from the beginning, in the order of their time.

    :param enough: stop as soon as this is true of what was read.
    :param timeout: seconds to read at most.
    """
    client = EventHubConsumerClient.from_connection_string(connection_string, "$Default", eventhub_name=hub)
    found: list[Event] = []

    def on_event(_: Any, event: Any) -> None:
        if event is not None:
            found.append(json.loads(event.body_as_str()))

    thread = threading.Thread(
        target=client.receive, kwargs={"on_event": on_event, "starting_position": "-1", "max_wait_time": 1}, daemon=True
    )
    thread.start()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and not enough(list(found)):
        time.sleep(0.1)
    client.close()
    thread.join(10)
    unique = {(event["source"], event["id"]): event for event in reversed(found)}
    return sorted(unique.values(), key=lambda event: str(event["time"]))
