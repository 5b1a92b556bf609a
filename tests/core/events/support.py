"""Facts, a sink that records or fails, and a clock face for tests of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from include.drive_backup.errors import ServiceUnavailableError
from include.drive_backup.events.envelope import Event, Fact, make_event

START = datetime(2026, 11, 23, tzinfo=UTC)


def event(number: int, *, run: str = "run-1", **values) -> Event:
    """The event that happens ``number`` seconds after START."""
    fact = Fact(kind="item.failed", dag_id="backup", run_id=run, object=f"file-{number}", **values)
    return make_event(fact, when=START + timedelta(seconds=number))


class RecordingSink:
    """Takes events while ``up``; refuses the call that would pass ``capacity`` events."""

    def __init__(self, *, up: bool = True, capacity: int | None = None) -> None:
        self.up = up
        self.capacity = capacity
        self.sent: list[str] = []

    async def send(self, events: Sequence[Event]) -> None:
        full = self.capacity is not None and len(self.sent) + len(events) > self.capacity
        if not self.up or full:
            raise ServiceUnavailableError("The hub is down.", service="eventhubs")
        self.sent += [event.subject for event in events]


def subjects(*numbers: int) -> list[str]:
    return [f"file-{number}" for number in numbers]
