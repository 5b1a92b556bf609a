"""Google Drive behind an Airflow connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from airflow.sdk import BaseHook

from drive_backup_airflow.hooks.google_credentials import GoogleConnection, credentials_of
from drive_backup_airflow.vault import ExplainedConnections
from include.drive_backup.clock import SystemClock
from include.drive_backup.drive.client import DEFAULT_ENDPOINT, DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.errors import CredentialsError, DriveBackupError
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.ports import Clock


class GoogleDriveBackupHook(ExplainedConnections, BaseHook):
    """Turns a connection of type ``google_cloud_platform`` into a :class:`GoogleDrive`.

    The fields are those of Airflow's Google provider (``keyfile_dict``, ``key_path``, ``scope``,
    ``impersonation_chain``, ``num_retries``, ``quota_project_id`` …; not ``is_anonymous``), and two of ours in the
    extra: ``subject``, the user to act as unless the caller names one, and ``api_endpoint``. ``keyfile_dict`` and
    ``key_path`` also take an ``authorized_user`` JSON (an OAuth refresh token). The default scope is
    ``drive.readonly``.

    :param gcp_conn_id: the connection.
    :param subject: e-mail address of the user to act as, by domain-wide delegation.
    :param scope: OAuth scope, instead of the connection's.
    :param connection: the connection, where the caller has it already.
    """

    conn_name_attr = "gcp_conn_id"
    default_conn_name = "drive_backup_google"
    conn_type = "google_cloud_platform"
    hook_name = "Google Drive Backup"

    def __init__(
        self,
        gcp_conn_id: str = default_conn_name,
        subject: str | None = None,
        scope: str | None = None,
        *,
        connection: GoogleConnection | None = None,
    ) -> None:
        super().__init__()
        self.scope = scope
        self.gcp_conn_id = gcp_conn_id
        self.subject = subject
        self._found = connection

    @asynccontextmanager
    async def get_drive(
        self,
        *,
        limiter: QuotaLimiter | None = None,
        settings: DriveSettings | None = None,
        clock: Clock | None = None,
        stands_for: str | None = None,
    ) -> AsyncIterator[GoogleDrive]:
        """Open Drive; close its connections at the end.

        :param stands_for: see :class:`GoogleDrive`.

        :param limiter: the quota budget; a new one of Google's default size when it is left out.
        :param settings: attempts and time-outs; the attempts are ``num_retries`` + 1 when they are left out.
        :raises SecretMissingError: the connection is defined nowhere.
        :raises CredentialsError: the credential cannot be used, or cannot act as the subject.
        :raises ConfigError: the connection's fields are wrong.
        """
        clock = clock or SystemClock()
        connection = await self._connection()
        subject = self.subject or connection.field("subject")
        # In a thread: application default credentials may ask a metadata server.
        credentials, acts_as_subject = await asyncio.to_thread(credentials_of, connection, subject)
        drive = GoogleDrive(
            GoogleTokens(credentials, clock),
            limiter=limiter or QuotaLimiter(clock),
            clock=clock,
            api_endpoint=connection.api_endpoint or DEFAULT_ENDPOINT,
            settings=settings or DriveSettings(attempts=connection.number("num_retries", 5) + 1),
            stands_for=stands_for,
        )
        async with drive:
            if subject and not acts_as_subject:
                await self._check_subject(drive, subject)
            with _naming(subject):
                yield drive

    def test_connection(self) -> tuple[bool, str]:
        """Ask Drive who we are; for Airflow's "Test" button and its command line."""
        try:
            return True, asyncio.run(self._who())
        except DriveBackupError as error:
            return False, str(error)

    async def _who(self) -> str:
        async with self.get_drive(settings=DriveSettings(attempts=1)) as drive:
            return f"Drive answers; the connection acts as {await drive.user_email()}."

    async def acts_as(self) -> str | None:
        """The user to act as; None when it is the credential's own account."""
        subject = self.subject or (await self._connection()).field("subject")
        return subject.lower() if subject else None

    async def _connection(self) -> GoogleConnection:
        if self._found is None:
            found = GoogleConnection.of(await self.aget_connection(self.gcp_conn_id))
            self._found = found.with_scope(self.scope) if self.scope else found
        return self._found

    async def _check_subject(self, drive: GoogleDrive, subject: str) -> None:
        """Refuse a credential that is another user's: a refresh token acts as one user only."""
        email = await drive.user_email()
        if email and email != subject.lower():
            raise CredentialsError(
                f"The connection '{self.gcp_conn_id}' acts as {email} and cannot act as {subject}. Use a service "
                "account with domain-wide delegation, or name the source after the user of the connection.",
                reason="otherUser",
            )


@contextmanager
def _naming(subject: str | None) -> Iterator[None]:
    """Google's refusals do not say whom one tried to act as."""
    try:
        yield
    except CredentialsError as error:
        if subject is None or subject in str(error):
            raise
        raise type(error)(f"{error} (acting as {subject})", reason=error.reason) from error
