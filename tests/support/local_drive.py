"""A whole backup, without Airflow, of the local Drive: the real client against the strict stand-in, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import CredentialsError
from include.drive_backup.pacing import QuotaLimiter
from include.local_cloud.drive import ANN, DriveServer, DriveState, edits
from include.local_cloud.drive.content import BytesContent, NativeContent
from include.local_cloud.drive.model import NATIVE, Item
from tests.support.flow import Backup

START_MS = 1_767_225_600_000  # 2026-01-01


class OneToken:
    """A token that is never renewed.

    :param of: makes the tokens of other users.
    """

    headers: dict[str, str] = {}

    def __init__(self, token: str, of: Callable[[str], OneToken] | None = None) -> None:
        self._token = token
        self._of = of

    async def token(self) -> str:
        return self._token

    async def renew(self, rejected: str) -> str:
        return rejected

    def acting_as(self, user: str) -> OneToken:
        if self._of is None:
            raise CredentialsError("This token acts for nobody else.", reason="noDelegation")
        return self._of(user)


class LocalDrive:
    """Ann's Drive, Bob's, and whatever a test puts there."""

    def __init__(self) -> None:
        self.state = DriveState()
        self.state.clock.freeze(START_MS)
        for email in (ANN, "bob@example.com"):
            self.state.add_user(email)
        self.server = DriveServer(self.state)

    @property
    def root(self) -> str:
        """Ann's My Drive."""
        return self.state.users[ANN].root_id

    def file(self, name: str, parent: str | None = "", *, by: str = ANN, content: bytes = b"content") -> Item:
        """A file; in Ann's root unless a parent is given, an orphan for None."""
        place = self.root if parent == "" else parent
        return edits.create(self.state, name, place, BytesContent(content), by=by)

    def native(self, name: str, kind: str, parent: str = "", *, text: str = "text", padding: int = 0) -> Item:
        """A Google editor file."""
        content = NativeContent(text, padding)
        return edits.create(self.state, name, parent or self.root, content, by=ANN, mime_type=NATIVE + kind)

    def folder(self, name: str, parent: str = "", *, by: str = ANN) -> Item:
        """A folder."""
        return edits.folder(self.state, name, parent or self.root, by=by)

    def share(self, item: Item, email: str, role: str = "reader") -> None:
        """Give somebody a role."""
        edits.share(self.state, item, self.state.user_permission(email, role))

    def calls(self, route: str) -> int:
        """How often a route was called."""
        return self.server.service.stats.calls[route]


@asynccontextmanager
async def backup_of(local: LocalDrive, user: str = ANN, **settings: Any) -> AsyncIterator[Backup]:
    """A backup of the local Drive into a container in memory.

    :param settings: of :class:`DriveSettings`.
    """
    backup = Backup(None)  # type: ignore[arg-type]

    def reader(user: str) -> OneToken:
        return OneToken(local.server.token(user, "drive.readonly"), reader)

    async with local.server:
        drive = GoogleDrive(
            reader(user),
            limiter=QuotaLimiter(backup.clock),
            clock=backup.clock,
            api_endpoint=local.server.url,
            settings=DriveSettings(**settings),
        )
        async with drive:
            backup.drive = drive  # type: ignore[assignment]
            yield backup
