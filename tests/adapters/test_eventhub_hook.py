"""Every shape of connection reaches the hub, and a bad one is answered with a sentence."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from drive_backup_airflow.hooks.eventhub import AzureEventHubsHook, Settings, read_settings
from include.drive_backup.errors import ConfigError, SecretMissingError, ServiceUnavailableError
from tests.core.events.support import event
from tests.support.hub import received

STRING = "Endpoint=sb://ns.servicebus.windows.net;SharedAccessKeyName=send;SharedAccessKey=a2V5"


def connection(**fields) -> Connection:
    extra = fields.pop("extra", None)
    return Connection(
        conn_id="events", conn_type="azure_event_hubs", extra=None if extra is None else json.dumps(extra), **fields
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"password": STRING, "schema": "hub"}, {"hub": "hub", "connection_string": STRING}),
        ({"extra": {"connection_string": STRING, "eventhub_name": "hub"}}, {"hub": "hub", "connection_string": STRING}),
        ({"password": STRING + ";EntityPath=hub"}, {"hub": None, "connection_string": STRING + ";EntityPath=hub"}),
        (
            {"host": "ns.servicebus.windows.net", "schema": "hub"},
            {"hub": "hub", "namespace": "ns.servicebus.windows.net"},
        ),
        ({"host": "sb://ns.example.com/", "schema": "hub"}, {"hub": "hub", "namespace": "ns.example.com"}),
        (
            {"host": "127.0.0.1", "port": 5672, "schema": "hub", "extra": {"use_tls": False}},
            {"hub": "hub", "namespace": "127.0.0.1:5672", "use_tls": False},
        ),
        (
            {"host": "ns", "schema": "hub", "login": "id", "password": "secret", "extra": {"tenant_id": "t"}},
            {"hub": "hub", "namespace": "ns", "tenant_id": "t", "client_id": "id", "client_secret": "secret"},
        ),
        (
            {"host": "ns", "schema": "hub", "extra": {"managed_identity_client_id": "m", "transport": "websocket"}},
            {"hub": "hub", "namespace": "ns", "managed_identity_client_id": "m", "websocket": True},
        ),
    ],
)
def test_shapes(fields, expected):
    assert read_settings(connection(**fields)) == Settings(**expected)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "neither a connection string"),
        ({"password": STRING}, "does not name the hub"),
        ({"host": "ns"}, "does not name the hub"),
        ({"password": "Endpoint=sb://ns", "schema": "hub"}, "lacks Endpoint or SharedAccessKey"),
        ({"host": "ns", "schema": "hub", "login": "id"}, "lacks tenant_id and client_secret"),
        ({"host": "ns", "schema": "hub", "extra": {"transport": "kafka"}}, "'transport' is 'kafka'"),
    ],
)
def test_a_bad_connection_is_named_with_what_it_lacks(fields, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_settings(connection(**fields))
    assert "'events'" in str(caught.value)
    assert "a2V5" not in str(caught.value)


def define(monkeypatch, conn: Connection) -> AzureEventHubsHook:
    monkeypatch.setenv("AIRFLOW_CONN_EVENTS", conn.get_uri())
    return AzureEventHubsHook("events")


def test_no_connection_is_a_missing_secret():
    with pytest.raises(SecretMissingError):
        AzureEventHubsHook("nothing_here").sink()


@pytest.mark.integration
async def test_a_connection_string_sends(event_hub, monkeypatch):
    await define(monkeypatch, connection(password=event_hub)).sink().send([event(1)])
    ((key, body),) = await received(event_hub, 1)
    assert (key, body["subject"]) == ("run-1", "file-1")


@pytest.mark.integration
async def test_a_malformed_connection_string_is_a_matter_of_config(monkeypatch):
    hook = define(monkeypatch, connection(password="Endpoint=nonsense;SharedAccessKey=x;EntityPath=hub"))
    with pytest.raises(ConfigError, match="malformed"):
        await hook.sink().send([event(1)])


@pytest.mark.integration
async def test_a_managed_identity_sends_and_leaves_nothing_open(
    eventhubs_server, keyvault_server, monkeypatch, recwarn
):
    port = int(eventhubs_server.info["url"].rpartition(":")[2])
    conn = connection(host="127.0.0.1", port=port, schema="drive-backup", extra={"use_tls": False})
    await define(monkeypatch, conn).sink().send([event(1)])
    assert len(await received(eventhubs_server.info["connection_string"], 1)) == 1
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


@pytest.mark.integration
async def test_an_identity_that_gets_no_token_is_told_as_such(eventhubs_server, keyvault_server, monkeypatch):
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    port = int(eventhubs_server.info["url"].rpartition(":")[2])
    conn = connection(host="127.0.0.1", port=port, schema="drive-backup", extra={"use_tls": False})
    with pytest.raises(ServiceUnavailableError, match="failed to retrieve a token"):
        await define(monkeypatch, conn).sink().send([event(1)])


@pytest.mark.integration
def test_the_test_button(eventhubs_server, monkeypatch):
    hook = define(monkeypatch, connection(password=eventhubs_server.info["connection_string"]))
    assert hook.test_connection() == (True, "The hub answers.")
    eventhubs_server.stop()
    ok, sentence = hook.test_connection()
    assert not ok
    assert sentence
