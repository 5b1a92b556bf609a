"""Azure Blob Storage behind an Airflow connection, in every way that the Azure provider can authenticate."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow.providers.microsoft.azure.hooks.wasb import WasbAsyncHook
from azure.storage.blob.aio import BlobServiceClient

from drive_backup_airflow.azure_logs import quieten
from drive_backup_airflow.supervisor_line import ask_async
from drive_backup_airflow.vault import ExplainedConnections
from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.blob.sas import malformed
from include.drive_backup.blob.sending import Line
from include.drive_backup.blob.signing import AUDIENCE, sas_of
from include.drive_backup.blob.target import AzureTargetStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.pacing import Backoff

if TYPE_CHECKING:
    from airflow.sdk import Connection

_Store = TypeVar("_Store", bound=AzureBlobStore)

#: Extra with Azure's id of the storage account, for the links into Azure Portal; no field of a connection implies it.
RESOURCE_ID = "resource_id"

_RESOURCE_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/([a-z0-9]{3,24})",
    re.IGNORECASE,
)
#: What Azure allows (REST reference, "Naming and referencing containers, blobs, and metadata").
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_PREFIX = "extra__wasb__"


class DriveBackupBlobHook(ExplainedConnections, WasbAsyncHook):
    """Turns a connection of type ``wasb`` into a container.

    Key, connection string, SAS, service principal, managed identity: the provider's hook decides, in its order. Of the
    extra's further keys, ``retry_total``, ``initial_backoff``, ``connection_timeout`` and ``read_timeout`` (seconds)
    set how often and how long we try; ``resource_id`` is for links; all others go to the SDK's client.

    :param blob_conn_id: the connection.
    :param container: the container's name.
    """

    def __init__(self, blob_conn_id: str = "drive_backup_blob", container: str = "drive-backup") -> None:
        super().__init__(wasb_conn_id=blob_conn_id)
        self.container = container

    @asynccontextmanager
    async def store(self) -> AsyncIterator[AzureBlobStore]:
        """Open the container of a backup; closes client and credential at the end. Nothing is sent yet.

        :raises SecretMissingError: the connection is defined nowhere.
        :raises ConfigError: the connection's fields make no client, or lead to another account than they say.
        """
        async with self._opened(AzureBlobStore) as store:
            yield store

    @asynccontextmanager
    async def target(self) -> AsyncIterator[AzureTargetStore]:
        """The same for a container to restore into."""
        async with self._opened(AzureTargetStore) as store:
            yield store

    @asynccontextmanager
    async def _opened(self, kind: type[_Store]) -> AsyncIterator[_Store]:
        if not _CONTAINER.fullmatch(self.container):
            raise ConfigError(
                f"'{self.container}' is no name for a Blob container. Use 3 to 63 lower-case letters, digits and "
                "single dashes, e.g. drive-backup."
            )
        quieten()
        # The provider looks the connection up by itself, without an explanation when that fails.
        connection = await self.aget_connection(self.conn_id)
        extra = _extra(connection)
        if not extra.get("connection_string"):
            _check_host(connection, extra)
        settings = _settings(connection, extra)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(await self._client())
            if hasattr(client.credential, "close"):
                stack.push_async_callback(client.credential.close)
            if (sas := sas_of(client)) and (flaw := malformed(sas)):
                raise ConfigError(f"The SAS of the Airflow connection '{self.conn_id}' is not whole. {flaw}")
            _check_account(_resource_id(connection, extra), client.account_name)
            container = client.get_container_client(self.container)
            store = kind(container, SystemClock(), settings)
            await stack.enter_async_context(store)
            yield store

    async def resource_id(self) -> str | None:
        """Azure's id of the storage account, if the connection has it.

        :raises ConfigError: it is none.
        """
        connection = await self.aget_connection(self.conn_id)
        return _resource_id(connection, _extra(connection))

    def _get_field(self, extra_dict: dict[str, Any], field_name: str) -> Any:
        # The provider hands what is left in this dict to the SDK's client, and asks here before it does.
        for key in (RESOURCE_ID, _PREFIX + RESOURCE_ID):
            extra_dict.pop(key, None)
        return super()._get_field(extra_dict, field_name)  # type: ignore[no-untyped-call]

    async def _client(self) -> BlobServiceClient:
        try:
            client = await ask_async(self.get_async_conn)  # it looks the connection up once more
        except (ValueError, TypeError, AttributeError) as error:
            # What the SDK says may quote a URL with its SAS.
            raise ConfigError(
                f"The Airflow connection '{self.conn_id}' makes no Blob client ({type(error).__name__}). Check its "
                "connection string, or its host (https://<account>.blob.core.windows.net), login, key and sas_token."
            ) from None
        if client.credential is None and "?" not in client.url:
            await client.close()
            raise ConfigError(
                f"The connection string of the Airflow connection '{self.conn_id}' has neither AccountKey nor "
                "SharedAccessSignature. Copy the whole string from the storage account's page 'Access keys'."
            )
        return client


def _extra(connection: Connection) -> dict[str, Any]:
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError as error:
        raise ConfigError(
            f"The extra of connection '{connection.conn_id}' is no JSON ({error}). Correct it."
        ) from error
    if not isinstance(extra, dict):
        raise ConfigError(f"The extra of connection '{connection.conn_id}' is not a JSON object. Correct it.")
    return {key.removeprefix(_PREFIX): value for key, value in extra.items()}


def _check_host(connection: Connection, extra: dict[str, Any]) -> None:
    """Refuse hosts that the provider's ``parse_blob_account_url`` silently turns into another account's."""
    host = connection.host or ""
    if str(extra.get("sas_token") or "").startswith("https"):
        return
    if not host and not connection.login:
        raise ConfigError(
            f"The Airflow connection '{connection.conn_id}' names no storage account. Set its login to the account's "
            "name, its host to https://<account>.blob.core.windows.net, or a connection_string in its extra."
        )
    name = urlsplit(host if "//" in host else f"//{host}").netloc
    if host and ("." not in name or len(name.partition(".")[0]) > 24):
        raise ConfigError(
            f"The Airflow connection '{connection.conn_id}' has the host '{name}', which Airflow's Azure provider "
            "takes for something else, because it has no dot or its first part more than 24 characters. Put a "
            "connection_string with a BlobEndpoint into its extra instead."
        )


def _resource_id(connection: Connection, extra: dict[str, Any]) -> str | None:
    given = extra.get(RESOURCE_ID)
    if not given:
        return None
    if not isinstance(given, str) or not _RESOURCE_ID.fullmatch(given):
        raise ConfigError(
            f"'{RESOURCE_ID}' in the extra of connection '{connection.conn_id}' is {given!r}; write /subscriptions/"
            "<id>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>, as "
            "`az storage account show --name <name> --query id` says it, or leave it out."
        )
    return given


def _check_account(resource_id: str | None, account: str | None) -> None:
    """A link into another account would mislead. An own domain does not say which account is behind it."""
    name = (resource_id or "").rpartition("/")[2]
    if name and account and name.lower() != account.lower():
        raise ConfigError(
            f"'{RESOURCE_ID}' in the connection's extra is that of the storage account '{name}', but the connection "
            f"leads to '{account}'. Correct it, or leave it out."
        )


def _settings(connection: Connection, extra: dict[str, Any]) -> CallSettings:
    usual = CallSettings()

    def number(key: str, default: float) -> float:
        try:
            return max(0.0, float(extra.get(key, default)))
        except (TypeError, ValueError):
            raise ConfigError(
                f"'{key}' in the extra of connection '{connection.conn_id}' is {extra[key]!r}; write a number."
            ) from None

    return CallSettings(
        backoff=Backoff(
            attempts=1 + int(number("retry_total", usual.backoff.attempts - 1)),
            first=number("initial_backoff", usual.backoff.first),
            cap=usual.backoff.cap,
        ),
        connection_timeout=number("connection_timeout", usual.connection_timeout),
        read_timeout=number("read_timeout", usual.read_timeout),
        line=_line(extra),
    )


def _line(extra: dict[str, Any]) -> Line:
    """The same as the extra says to the SDK's client."""
    certificate = extra.get("connection_cert")
    return Line(
        verify=extra.get("connection_verify", True),
        certificate=tuple(certificate) if isinstance(certificate, list) else certificate,
        proxies=extra.get("proxies"),
        audience=extra.get("audience") or AUDIENCE,
    )
