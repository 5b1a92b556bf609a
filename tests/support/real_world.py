"""A backup between real servers: the local Drive, and Azurite behind a proxy on which things go wrong."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.clock import SystemClock
from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import TransientError
from include.drive_backup.pacing import Backoff, QuotaLimiter
from tests.support.blob_proxy import BlobProxy, blob_proxy
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive

READS = Backoff(attempts=8, first=0.1, cap=1.0)


class QuickClock(SystemClock):
    """Real time, in which waiting is fifty times shorter."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


class LocalTokens:
    """Tokens of the local Drive; a rejected one is replaced."""

    headers: dict[str, str] = {}

    def __init__(self, local: LocalDrive, user: str) -> None:
        self._local, self._user = local, user
        self._token = self._new()
        self.renewals = 0

    def _new(self) -> str:
        return self._local.server.token(self._user, "drive.readonly")

    async def token(self) -> str:
        return self._token

    async def renew(self, rejected: str) -> str:
        if rejected == self._token:
            self._token, self.renewals = self._new(), self.renewals + 1
        return self._token

    def acting_as(self, user: str) -> LocalTokens:
        return LocalTokens(self._local, user)


@asynccontextmanager
async def open_store(
    connection_string: str, container: str, read_timeout: float = 1.0
) -> AsyncIterator[AzureBlobStore]:
    settings = CallSettings(backoff=Backoff(attempts=6, first=0.5, cap=5.0), read_timeout=read_timeout)
    async with (
        ContainerClient.from_connection_string(connection_string, container) as client,
        AzureBlobStore(client, QuickClock(), settings) as store,
    ):
        yield store


@asynccontextmanager
async def open_drive(url: str, tokens: Any) -> AsyncIterator[GoogleDrive]:
    clock = QuickClock()
    limiter = QuotaLimiter(clock, units_per_minute=None)
    settings = DriveSettings(read_timeout=1.0)
    async with GoogleDrive(tokens, limiter=limiter, clock=clock, api_endpoint=url, settings=settings) as drive:
        yield drive


class World:
    """What a test has in hand."""

    def __init__(self, local: LocalDrive, proxy: BlobProxy, backup: Backup, tokens: LocalTokens, through: str) -> None:
        self.local, self.proxy, self.backup, self.tokens = local, proxy, backup, tokens
        #: The connection string that leads over the proxy.
        self.through = through

    async def until_done(self, batch: Any, **settings: Any) -> int:
        """Copy, with as many tries as it takes; how many."""
        for tries in range(1, 30):
            try:
                await self.backup.copy(batch, resume=tries > 1, reads=READS, **settings)
            except TransientError:
                continue
            return tries
        raise AssertionError("it never ends")


@asynccontextmanager
async def real_world(local: LocalDrive, azurite: str, user: str = "ann@example.com") -> AsyncIterator[World]:
    """Serve a local Drive and back it up to a container of its own. Faults begin when the test sets them."""
    origin = re.search(r"BlobEndpoint=(https?://[^/;]+)", azurite)[1]
    async with local.server, blob_proxy(origin) as proxy:
        tokens = LocalTokens(local, user)
        through = azurite.replace(origin, proxy.url)
        async with open_store(through, f"c{uuid.uuid4().hex}") as store, open_drive(local.server.url, tokens) as drive:
            await store.ensure_container(create=True)
            backup = Backup(drive, store)  # type: ignore[arg-type]
            yield World(local, proxy, backup, tokens, through)
