"""Azure Blob Storage behind an Airflow connection, in every way that the Azure provider can authenticate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from airflow.providers.microsoft.azure.hooks.wasb import WasbAsyncHook
from azure.storage.blob.aio import BlobServiceClient

from drive_backup_airflow.vault import ExplainedConnections
from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError


class DriveBackupBlobHook(ExplainedConnections, WasbAsyncHook):
    """Turns a connection of type ``wasb`` into a container.

    Key, connection string, SAS, service principal, managed identity: the provider's hook decides, in its order. Further
    keys of the extra go to the SDK's client.

    :param blob_conn_id: the connection.
    :param container: the container's name.
    """

    def __init__(self, blob_conn_id: str = "drive_backup_blob", container: str = "drive-backup") -> None:
        super().__init__(wasb_conn_id=blob_conn_id)
        self.container = container

    @asynccontextmanager
    async def store(self) -> AsyncIterator[AzureBlobStore]:
        """Open the container; closes client and credential at the end. Nothing is sent yet.

        :raises SecretMissingError: the connection is defined nowhere.
        :raises ConfigError: the connection's fields make no client.
        """
        # The provider looks the connection up by itself, without an explanation when that fails.
        await self.aget_connection(self.conn_id)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(await self._client())
            credential = client.credential
            if hasattr(credential, "close"):
                stack.push_async_callback(credential.close)
            yield AzureBlobStore(client.get_container_client(self.container), SystemClock())

    async def _client(self) -> BlobServiceClient:
        try:
            return await self.get_async_conn()
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"The Airflow connection '{self.conn_id}' makes no Blob client: {error}. Check its connection string, "
                "or its host (https://<account>.blob.core.windows.net), login and key."
            ) from error
