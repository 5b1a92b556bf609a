"""The asynchronous client, and bearer tokens."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from azure.eventhub import EventData, parse_connection_string
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import AuthenticationError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from tests.support.cloud import eventhubs

pytestmark = pytest.mark.integration


async def first(client, count):
    found, enough = [], asyncio.Event()

    async def on_event(_, event):
        found.append(event.body_as_str())
        if len(found) >= count:
            enough.set()

    async with client:
        reading = asyncio.create_task(client.receive(on_event, starting_position="-1"))
        await asyncio.wait_for(enough.wait(), 15)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return found


async def test_many_producers_at_once_and_one_reader(event_hub):
    async def send(name):
        async with EventHubProducerClient.from_connection_string(event_hub) as client:
            for number in range(5):
                await client.send_batch(
                    [EventData(f"{name}/{number}/{part}") for part in range(20)], partition_key=name
                )

    await asyncio.gather(*(send(f"p{number}") for number in range(6)))
    got = await first(EventHubConsumerClient.from_connection_string(event_hub, "$Default"), 600)
    assert sorted(got) == sorted(f"p{p}/{n}/{i}" for p in range(6) for n in range(5) for i in range(20))
    for producer in range(6):  # one key, one partition, one order
        own = [text for text in got if text.startswith(f"p{producer}/")]
        assert own == [f"p{producer}/{n}/{i}" for n in range(5) for i in range(20)]


async def test_a_reader_that_waits_gets_an_event_at_once(event_hub):
    consumer = EventHubConsumerClient.from_connection_string(event_hub, "$Default")
    waiting = asyncio.create_task(first(consumer, 1))
    await asyncio.sleep(2)
    async with EventHubProducerClient.from_connection_string(event_hub) as client:
        await client.send_event(EventData("now"))
    assert await waiting == ["now"]


async def test_a_managed_identity_may_send_and_read_and_another_authority_may_not(keyvault_server, tmp_path):
    key = keyvault_server.info["token_key"]
    with eventhubs(tmp_path / "hub", "--token-key", key) as server:
        namespace = parse_connection_string(server.info["connection_string"]).fully_qualified_namespace
        options = {"fully_qualified_namespace": namespace, "eventhub_name": "drive-backup", "use_tls": False}
        async with DefaultAzureCredential() as credential:
            async with EventHubProducerClient(credential=credential, **options) as client:
                await client.send_event(EventData("by identity"))
            reader = EventHubConsumerClient(consumer_group="$Default", credential=credential, **options)
            assert await first(reader, 1) == ["by identity"]
    (tmp_path / "other.pem").write_bytes(OTHER_KEY)
    with eventhubs(tmp_path / "hub", "--token-key", str(tmp_path / "other.pem")) as server:
        options["fully_qualified_namespace"] = server.info["url"].removeprefix("sb://")
        async with (
            ManagedIdentityCredential() as credential,
            EventHubProducerClient(credential=credential, retry_total=0, **options) as client,
        ):
            with pytest.raises(AuthenticationError, match="Signature verification failed"):
                await client.send_event(EventData("x"))


OTHER_KEY = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo
4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u
+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyeh
kd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ
0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIKdg
cKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbc
mwIDAQAB
-----END PUBLIC KEY-----
"""
