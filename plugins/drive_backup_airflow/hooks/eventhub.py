"""Azure Event Hubs from an Airflow connection. The Azure provider has no hook for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from drive_backup_airflow.azure_logs import quieten
from drive_backup_airflow.vault import ExplainedConnections
from include.drive_backup.errors import ConfigError
from include.drive_backup.events.eventhub import PRODUCER_OPTIONS, SEND_LIMIT, EventHubSink
from include.drive_backup.model import Struct

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from azure.eventhub.aio import EventHubProducerClient


class Settings(Struct, frozen=True):
    """What a connection says. Exactly one of ``connection_string`` and ``namespace`` is set."""

    hub: str | None
    connection_string: str | None = None
    namespace: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    managed_identity_client_id: str | None = None
    workload_identity_tenant_id: str | None = None
    use_tls: bool = True
    websocket: bool = False


class AzureEventHubsHook(ExplainedConnections, BaseHook):
    """Sends to one event hub.

    The connection (type ``azure_event_hubs``) is one of:

    - a connection string in the password, or in extra ``connection_string``;
    - a namespace in the host, such as ``name.servicebus.windows.net``, with a service principal (client id in the
      login, secret in the password, extra ``tenant_id``), or without for managed or workload identity
      (``DefaultAzureCredential``; extra ``managed_identity_client_id``, ``workload_identity_tenant_id``).

    The hub's name is the schema, or ``EntityPath`` in the connection string. Extra ``transport: websocket`` uses port
    443. For stand-ins without TLS: ``UseDevelopmentEmulator=true`` in the connection string, or extra
    ``use_tls: false``.

    :param event_hubs_conn_id: the connection's id.
    """

    conn_name_attr = "event_hubs_conn_id"
    default_conn_name = "drive_backup_events"
    conn_type = "azure_event_hubs"
    hook_name = "Azure Event Hubs"

    def __init__(self, event_hubs_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.event_hubs_conn_id = event_hubs_conn_id

    def sink(self, *, limit: float = SEND_LIMIT) -> EventHubSink:
        """Look the connection up, now, and make a sink of it that connects when it sends.

        :param limit: seconds for one send in all.
        :raises ConfigError: the connection lacks something.
        """
        return EventHubSink(partial(open_producer, self.settings()), limit=limit)

    def settings(self) -> Settings:
        """The connection, checked.

        :raises ConfigError: names what is missing.
        """
        return read_settings(self.get_connection(self.event_hubs_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button: opens the hub and closes it again."""

        async def probe() -> None:
            async with asyncio.timeout(10), open_producer(self.settings()) as producer:
                await producer.get_eventhub_properties()

        try:
            asyncio.run(probe())
        except Exception as error:  # noqa: BLE001 - shown to whoever pressed the button
            return False, str(error) or "The hub did not answer within 10 s."
        return True, "The hub answers."


def read_settings(connection: Connection) -> Settings:
    """What the connection says.

    :raises ConfigError: when it is not enough, or contradicts itself.
    """
    extra: dict[str, Any] = connection.extra_dejson
    text = extra.get("connection_string") or _connection_string(connection.password)
    hub = connection.schema or extra.get("eventhub_name") or None
    transport = extra.get("transport", "amqp")
    if transport not in ("amqp", "websocket"):
        raise _bad(connection, f"extra 'transport' is '{transport}'; allowed are 'amqp' and 'websocket'")
    common = {"hub": hub, "websocket": transport == "websocket", "use_tls": _flag(extra.get("use_tls", True))}
    if text:
        return Settings(connection_string=_checked(connection, text, hub), **common)
    return Settings(**_namespace(connection, extra), **common)


@asynccontextmanager
async def open_producer(settings: Settings) -> AsyncIterator[EventHubProducerClient]:
    """A producer, closed at the end together with its credential.

    :raises ConfigError: the SDK finds the connection string malformed.
    """
    quieten()
    from azure.eventhub import TransportType  # noqa: PLC0415 - 0.3 s, for processes that send
    from azure.eventhub.aio import EventHubProducerClient  # noqa: PLC0415 - as above

    options = dict(PRODUCER_OPTIONS)
    if settings.websocket:
        options["transport_type"] = TransportType.AmqpOverWebsocket
    if settings.connection_string:
        try:
            producer = EventHubProducerClient.from_connection_string(
                settings.connection_string, eventhub_name=settings.hub, **options
            )
        except ValueError as error:
            raise ConfigError(f"The connection string for Event Hubs is malformed: {error}") from None
        async with producer:
            yield producer
        return
    if not settings.use_tls:
        options["use_tls"] = False  # works in 5.15, undocumented; for stand-ins only
    async with _credential(settings) as credential:
        producer = EventHubProducerClient(settings.namespace or "", settings.hub or "", credential, **options)
        async with producer:
            yield producer


def _credential(settings: Settings) -> Any:
    from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415 - as above

    if settings.tenant_id and settings.client_id and settings.client_secret:
        return ClientSecretCredential(settings.tenant_id, settings.client_id, settings.client_secret)
    names = ("managed_identity_client_id", "workload_identity_tenant_id")
    identity = {name: getattr(settings, name) for name in names if getattr(settings, name)}
    return DefaultAzureCredential(**identity)


def _connection_string(password: str | None) -> str | None:
    return password if password and "endpoint=" in password.lower() else None


def _checked(connection: Connection, text: str, hub: str | None) -> str:
    keys = {part.partition("=")[0].strip().lower() for part in text.split(";")}
    if "endpoint" not in keys or not keys & {"sharedaccesskey", "sharedaccesssignature"}:
        raise _bad(
            connection, "its connection string lacks Endpoint or SharedAccessKey; copy it whole from Azure Portal"
        )
    if hub is None and "entitypath" not in keys:
        raise _bad(
            connection, "it does not name the hub; put the name into Schema, or EntityPath into the connection string"
        )
    return text


def _namespace(connection: Connection, extra: dict[str, Any]) -> dict[str, Any]:
    if not connection.host:
        raise _bad(connection, "it has neither a connection string (Password) nor a namespace (Host)")
    if not (connection.schema or extra.get("eventhub_name")):
        raise _bad(connection, "it does not name the hub; put the name into Schema")
    principal = {
        "tenant_id": extra.get("tenant_id"),
        "client_id": connection.login,
        "client_secret": connection.password,
    }
    if any(principal.values()) and not all(principal.values()):
        missing = [name for name, value in principal.items() if not value]
        raise _bad(connection, f"its service principal lacks {' and '.join(missing)}")
    host = connection.host.removeprefix("sb://").rstrip("/")
    namespace = f"{host}:{connection.port}" if connection.port else host
    identity = {name: extra.get(name) for name in ("managed_identity_client_id", "workload_identity_tenant_id")}
    return {"namespace": namespace, **principal, **identity}


def _flag(value: Any) -> bool:
    return str(value).strip().lower() not in ("false", "0", "no", "off")


def _bad(connection: Connection, what: str) -> ConfigError:
    return ConfigError(f"The connection '{connection.conn_id}' for Event Hubs cannot be used: {what}.")
