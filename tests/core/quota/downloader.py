"""One task as a process of its own: downloads one small file over and over, within the shared quota.

Arguments: JSON with ``drive``, ``key`` (a service account's file), ``blob`` (a connection string), ``container``,
``settings`` (of the quota) and ``seconds``. It prints how many downloads it made.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from azure.storage.blob.aio import ContainerClient
from google.oauth2.service_account import Credentials

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.model import Source
from include.drive_backup.quota.settings import QuotaSettings
from include.drive_backup.quota.shared import SharedQuota

USER = "ann@example.com"


async def main(given: dict) -> int:
    clock, count = SystemClock(), 0
    key = Credentials.from_service_account_file(
        given["key"], scopes=["https://www.googleapis.com/auth/drive.readonly"], subject=USER
    )
    async with (
        ContainerClient.from_connection_string(given["blob"], given["container"]) as client,
        AzureBlobStore(client, clock) as store,
        SharedQuota(store, QuotaSettings(**given["settings"]), clock, user=USER) as shared,
        GoogleDrive(
            GoogleTokens(key, clock),
            limiter=shared.limiter,
            clock=clock,
            api_endpoint=given["drive"],
            settings=DriveSettings(),
        ) as drive,
    ):
        pages = drive.list_items(Source(kind="user", id=USER))
        item = next(item for item in (await anext(pages)).items if item.kind == "file")

        async def work() -> None:
            nonlocal count
            while True:
                async with drive.open_content(item, None) as body:
                    async for _ in body:
                        pass
                count += 1

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(given["seconds"]):
                await asyncio.gather(*(work() for _ in range(8)))
    return count


if __name__ == "__main__":
    print(asyncio.run(main(json.loads(sys.argv[1]))))
