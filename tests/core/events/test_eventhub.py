"""The time limit holds whatever the hub does. Real sockets, the real SDK."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub.aio import EventHubProducerClient

from include.drive_backup.errors import ConfigError, CredentialsError, ServiceUnavailableError
from include.drive_backup.events.eventhub import PRODUCER_OPTIONS, EventHubSink
from tests.core.events.support import event

LIMIT = 1.0


def sink_on(port: int, limit: float = LIMIT) -> EventHubSink:
    text = (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=name;SharedAccessKey=key;"
        "EntityPath=hub;UseDevelopmentEmulator=true"
    )
    return EventHubSink(lambda: EventHubProducerClient.from_connection_string(text, **PRODUCER_OPTIONS), limit=limit)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def black_hole(reader, writer):
    """Accepts, reads, and never answers."""
    while await reader.read(4096):
        pass


async def dribble(reader, writer):
    """Answers with the protocol header, a byte at a time, for ever."""
    for byte in b"AMQP\x03\x01\x00\x00" * 1000:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def slam(reader, writer):
    writer.close()


async def garbage(reader, writer):
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
    await asyncio.sleep(60)


@pytest.mark.parametrize("behaviour", [black_hole, dribble, slam, garbage])
async def test_a_broken_hub_costs_no_more_than_the_limit(behaviour):
    server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
    started = time.monotonic()
    try:
        with pytest.raises(ServiceUnavailableError) as caught:
            await sink_on(server.sockets[0].getsockname()[1]).send([event(1)])
    finally:
        server.close()
    assert time.monotonic() - started < LIMIT + 0.5
    assert caught.value.service == "eventhubs"


async def test_a_refused_connection_costs_no_more_than_the_limit():
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError):
        await sink_on(free_port()).send([event(1)])
    assert time.monotonic() - started < LIMIT + 0.5


def test_the_limit_holds_for_the_whole_event_loop():
    """An abandoned send must not keep ``asyncio.run`` from ending: the notifier's process waits for it."""
    listener = socket.create_server(("127.0.0.1", 0))
    started = time.monotonic()
    try:
        with pytest.raises(ServiceUnavailableError):
            asyncio.run(sink_on(listener.getsockname()[1]).send([event(1)]))
    finally:
        listener.close()
    assert time.monotonic() - started < LIMIT + 1.0


async def test_an_sdk_that_cannot_be_cancelled_does_not_matter():
    class Stubborn:
        async def __aenter__(self):
            return self

        async def __aexit__(self, *args):
            return None

        async def create_batch(self, partition_key):
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                try:
                    await asyncio.sleep(0.5)
                except asyncio.CancelledError:
                    continue

    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError):
        await EventHubSink(Stubborn, limit=0.2).send([event(1)])
    assert time.monotonic() - started < 0.5


async def test_a_refused_credential_names_the_role():
    class Refused:
        async def __aenter__(self):
            return self

        async def __aexit__(self, *args):
            return None

        async def create_batch(self, partition_key):
            raise ClientAuthenticationError("no token")

    with pytest.raises(CredentialsError, match="Azure Event Hubs Data Sender"):
        await EventHubSink(Refused).send([event(1)])


async def test_bad_settings_come_through_as_they_are():
    def connect():
        raise ConfigError("The hub has no name.")

    with pytest.raises(ConfigError, match="no name"):
        await EventHubSink(connect).send([event(1)])


async def test_nothing_to_send_opens_no_connection():
    await EventHubSink(lambda: 1 / 0).send([])
