"""Users and shared drives of a Google Workspace behind an Airflow connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
from drive_backup_airflow.hooks.google_credentials import credentials_of
from include.drive_backup.drive.client import DriveClient, DriveSettings
from include.drive_backup.drive.directory import DIRECTORY_SCOPE, DIRECTORY_SERVICE, directory_endpoint, list_users
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.errors import CredentialsError
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.ports import Account, Clock, SharedDrive


class GoogleDirectoryHook(GoogleDriveBackupHook):
    """Implements :class:`include.drive_backup.ports.Directory` with the connection of :class:`GoogleDriveBackupHook`.

    Each question is asked with a token of its own: the users with the scope of the Directory API, which the tokens for
    reading files do not carry.
    """

    def __init__(self, gcp_conn_id: str, *, clock: Clock, settings: DriveSettings) -> None:
        super().__init__(gcp_conn_id)
        self._clock = clock
        self._settings = settings

    async def me(self) -> str:
        """See :meth:`include.drive_backup.ports.Directory.me`."""
        async with self.get_drive(settings=self._settings, clock=self._clock) as drive:
            return await drive.user_email()

    async def permission_id(self, address: str) -> str | None:
        """See :meth:`include.drive_backup.ports.Directory.permission_id`."""
        # The connection is fetched once, not once for each user.
        hook = GoogleDriveBackupHook(self.gcp_conn_id, address, connection=await self._connection())
        try:
            async with hook.get_drive(settings=self._settings, clock=self._clock) as drive:
                return await drive.user_id()
        except CredentialsError as error:
            self.log.info("Nobody can be asked as %s: %s", address, error)
            return None

    async def users(self, *, domain: str | None, admin: str | None) -> AsyncIterator[Account]:
        """See :meth:`include.drive_backup.ports.Directory.users`."""
        async for account in self._users(domain=domain, admin=admin):
            yield account

    async def deleted_users(self, *, admin: str | None) -> AsyncIterator[Account]:
        """See :meth:`include.drive_backup.ports.Directory.deleted_users`."""
        async for account in self._users(domain=None, admin=admin, deleted=True):
            yield account

    async def _users(self, *, domain: str | None, admin: str | None, deleted: bool = False) -> AsyncIterator[Account]:
        connection = await self._connection()
        # In a thread: application default credentials may ask a metadata server.
        credentials, _ = await asyncio.to_thread(
            credentials_of, connection.with_scope(DIRECTORY_SCOPE), admin or connection.field("subject")
        )
        client = DriveClient(
            GoogleTokens(credentials, self._clock),
            limiter=QuotaLimiter(self._clock),
            clock=self._clock,
            api_endpoint=directory_endpoint(connection.api_endpoint),
            service=DIRECTORY_SERVICE,
            settings=self._settings,
        )
        async with client:
            async for account in list_users(client, domain=domain, deleted=deleted):
                yield account

    async def shared_drives(self, *, admin: str | None) -> AsyncIterator[SharedDrive]:
        """See :meth:`include.drive_backup.ports.Directory.shared_drives`."""
        async with self.get_drive(settings=self._settings, clock=self._clock) as drive:
            own = {ident async for ident, _ in drive.shared_drives(as_admin=False)}
        hook = GoogleDriveBackupHook(self.gcp_conn_id, admin)
        async with hook.get_drive(settings=self._settings, clock=self._clock) as drive:
            async for ident, name in drive.shared_drives(as_admin=True):
                yield SharedDrive(id=ident, name=name, readable=ident in own)
