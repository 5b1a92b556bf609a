"""Read events with Microsoft's own consumer: what arrived is what is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from azure.eventhub import EventHubConsumerClient

Event = dict[str, Any]


class EventReader:
    """Reads a hub from its beginning, for as long as it is open.

    :param connection_string: of the hub's namespace.
    :param hub: its name.
    """

    def __init__(self, connection_string: str, hub: str) -> None:
        self._client = EventHubConsumerClient.from_connection_string(connection_string, "$Default", eventhub_name=hub)
        self._found: list[Event] = []
        self._thread = threading.Thread(
            target=self._client.receive,
            kwargs={"on_event": self._take, "starting_position": "-1", "max_wait_time": 1},
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join(10)

    def _take(self, _partition: Any, event: Any) -> None:
        if event is not None:
            self._found.append(json.loads(event.body_as_str()))

    def events(self, enough: Callable[[list[Event]], bool] = lambda _: False, timeout: float = 5) -> list[Event]:
        """Each event once, in the order of their time.

        :param enough: stop waiting as soon as this is true of what was read.
        :param timeout: seconds to wait at most.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not enough(list(self._found)):
            time.sleep(0.1)
        unique = {(event["source"], event["id"]): event for event in reversed(self._found)}
        return sorted(unique.values(), key=lambda event: str(event["time"]))


def read_events(
    connection_string: str, hub: str, enough: Callable[[list[Event]], bool] = lambda _: False, timeout: float = 5
) -> list[Event]:
    """As :meth:`EventReader.events`, of a hub that is read for this once."""
    with EventReader(connection_string, hub) as reader:
        return reader.events(enough, timeout)
