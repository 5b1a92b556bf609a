"""Servers for the tests of events."""

from __future__ import annotations

from tests.support.cloud import event_hub, eventhubs_server, shared_eventhubs

__all__ = ["event_hub", "eventhubs_server", "shared_eventhubs"]
