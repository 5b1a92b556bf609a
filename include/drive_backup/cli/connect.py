"""From a URL or a connection string to the container, without Airflow."""
# ruff: noqa: PLC0415 - the Azure SDK takes a second to import; --help shall not

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.ports import BlobStore, RepairStore, TargetStore

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient


@dataclass(frozen=True)
class Account:
    """Where the backup is: one of a container's URL and a connection string."""

    container_url: str | None = None
    connection_string: str | None = None
    container: str = "drive-backup"


@asynccontextmanager
async def open_store(account: Account) -> AsyncIterator[BlobStore]:
    """Open the container of a backup.

    :raises ConfigError: nothing, or nonsense, says where it is.
    """
    from include.drive_backup.blob.azure import AzureBlobStore

    async with AsyncExitStack() as stack:
        client = await _client(account, stack)
        yield await stack.enter_async_context(AzureBlobStore(client, SystemClock()))


@asynccontextmanager
async def open_repair_store(account: Account) -> AsyncIterator[RepairStore]:
    """Open the container of a backup with what the account keeps beside it.

    :raises ConfigError: nothing, or nonsense, says where it is.
    """
    from include.drive_backup.blob.repair import AzureRepairStore

    async with AsyncExitStack() as stack:
        client = await _client(account, stack)
        yield await stack.enter_async_context(AzureRepairStore(client, SystemClock()))


@asynccontextmanager
async def open_target_store(url: str) -> AsyncIterator[TargetStore]:
    """Open another container, to restore into.

    :param url: with a SAS behind ``?``, or without.
    :raises ConfigError: it is no URL of a container.
    """
    from include.drive_backup.blob.target import AzureTargetStore

    async with AsyncExitStack() as stack:
        client = await _client(Account(container_url=url), stack)
        yield await stack.enter_async_context(AzureTargetStore(client, SystemClock()))


async def _client(account: Account, stack: AsyncExitStack) -> ContainerClient:
    """The client, which the stack closes."""
    return await stack.enter_async_context(await _unopened(account, stack))


async def _unopened(account: Account, stack: AsyncExitStack) -> ContainerClient:
    from azure.identity.aio import DefaultAzureCredential
    from azure.storage.blob.aio import ContainerClient

    # What the SDK has to say, it raises; its warnings say the same in words that help nobody.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    if account.container_url:
        _check_url(account.container_url)
        if sas := urlsplit(account.container_url).query:
            _check_sas(sas)
            return ContainerClient.from_container_url(account.container_url)
        _check_secure(account.container_url)
        credential = await stack.enter_async_context(DefaultAzureCredential())
        return ContainerClient.from_container_url(account.container_url, credential=credential)
    if account.connection_string:
        try:
            return ContainerClient.from_connection_string(account.connection_string, account.container)
        except ValueError as error:
            raise ConfigError(f"The connection string is none of a storage account: {error}") from None
    raise ConfigError(
        "Say where the backup is: set DRIVE_BACKUP_CONTAINER_URL to https://ACCOUNT.blob.core.windows.net/CONTAINER, "
        "or AZURE_STORAGE_CONNECTION_STRING."
    )


def _check_sas(sas: str) -> None:
    from include.drive_backup.blob.sas import malformed

    if flaw := malformed(sas):
        raise ConfigError(f"What is behind '?' in the container's URL is no whole SAS. {flaw}")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path.strip("/"):
        raise ConfigError(
            f"'{parts._replace(query='').geturl()}' is not the URL of a container. Write it as "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER, with a SAS behind '?' if you have one."
        )


def _check_secure(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise ConfigError(
            f"'{url}' is http, over which no sign-in is sent. Write https; or for an emulator such as Azurite, which "
            "takes its account's key alone, set AZURE_STORAGE_CONNECTION_STRING instead of the URL."
        )
