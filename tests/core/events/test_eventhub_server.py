"""Against a server that speaks the protocol: what arrives, in which order, and after which outage."""

from __future__ import annotations

import re

import pytest
from azure.eventhub.aio import EventHubProducerClient

from include.drive_backup.errors import CredentialsError
from include.drive_backup.events.emitter import Emitter
from include.drive_backup.events.eventhub import PRODUCER_OPTIONS, EventHubSink
from include.drive_backup.events.spool import LocalSpool
from tests.core.events.support import event, subjects
from tests.support.hub import received
from tests.support.memory_blob import MemoryBlobStore

pytestmark = pytest.mark.integration


def sink(connection_string: str, **options) -> EventHubSink:
    return EventHubSink(
        lambda: EventHubProducerClient.from_connection_string(connection_string, **PRODUCER_OPTIONS), **options
    )


async def test_events_arrive_whole_and_in_order_with_the_run_as_key(event_hub):
    events = [event(number, run="one", message=f"Nr. {number} 🦊") for number in range(20)]
    await sink(event_hub).send(events)
    arrived = await received(event_hub, 20)
    assert [key for key, _ in arrived] == ["one"] * 20
    assert [body["subject"] for _, body in arrived] == subjects(*range(20))
    assert arrived[3][1]["data"]["message"] == "Nr. 3 🦊"


async def test_more_than_one_batch_holds(event_hub):
    """80 events of 32 kB are 2.6 MB: more than the 1 MB that a publication may have."""
    await sink(event_hub, limit=10).send([event(number, message="🦊" * 8_000) for number in range(80)])
    arrived = await received(event_hub, 80)
    assert [body["subject"] for _, body in arrived] == subjects(*range(80))


async def test_a_wrong_key_is_a_matter_of_credentials(event_hub):
    text = re.sub("SharedAccessKey=[^;]*", "SharedAccessKey=d3Jvbmc=", event_hub)
    with pytest.raises(CredentialsError, match="Azure Event Hubs Data Sender"):
        await sink(text).send([event(1)])


async def test_nothing_is_lost_and_nothing_overtakes_over_an_outage(eventhubs_server, tmp_path):
    """The hub is down, events come, the hub comes back: all arrive once, oldest first."""
    text = eventhubs_server.info["connection_string"]
    store, spool = MemoryBlobStore(), LocalSpool(tmp_path / "spool")
    emitter = Emitter(sink=sink(text), store=store, spool=spool)
    assert await emitter.emit([event(1)]) == "sent"
    eventhubs_server.stop()
    for number in (2, 3):
        assert await emitter.emit([event(number)]) == "kept"
    eventhubs_server.start()
    await emitter.emit([event(4)])
    arrived = await received(text, 4)
    assert [body["subject"] for _, body in arrived] == subjects(1, 2, 3, 4)
    assert not store.blobs
