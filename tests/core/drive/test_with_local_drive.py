"""The client against the local Drive in a process of its own: all hard cases, then the same with faults."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.oauth2.service_account import Credentials

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.errors import BrokenBodyError, ItemUnavailableError
from include.drive_backup.model import Item, Source
from include.drive_backup.pacing import QuotaLimiter
from tests.support.scripted_drive import FakeClock

pytestmark = pytest.mark.integration

ANN = Source.parse("user/ann@example.com")
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
OFFICE = "application/vnd.openxmlformats-officedocument."
EXPORTS = {
    "document": f"{OFFICE}wordprocessingml.document",
    "spreadsheet": f"{OFFICE}spreadsheetml.sheet",
    "presentation": f"{OFFICE}presentationml.presentation",
    "drawing": "image/svg+xml",
    "script": "application/vnd.google-apps.script+json",
}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "include.local_cloud.drive", "--port", "0", "--backend", "sample"]
    command += ["--root", str(tmp_path), "--state", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(10)


def open_drive(local: str, folder: Path, subject: str = "ann@example.com") -> GoogleDrive:
    clock = FakeClock()
    key = Credentials.from_service_account_file(str(folder / "service-account.json"), scopes=[SCOPE])
    return GoogleDrive(
        GoogleTokens(key.with_subject(subject), clock),
        limiter=QuotaLimiter(clock),
        clock=clock,
        api_endpoint=local,
        settings=DriveSettings(attempts=8, read_timeout=2),
    )


async def inflict(local: str, *rules: dict[str, Any]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{local}/_admin/faults", json={"rules": rules}) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def everything(drive: GoogleDrive, source: Source) -> dict[str, Item]:
    return {item.id: item async for page in drive.list_items(source) for item in page.items}


async def fetch(drive: GoogleDrive, item: Item) -> bytes:
    mime_type = EXPORTS[item.mime_type.rsplit(".", 1)[-1]] if item.kind == "native" else None
    async with drive.open_content(item, mime_type) as body:
        return b"".join([piece async for piece in body])


def has_content(item: Item) -> bool:
    return item.kind == "file" or item.mime_type.rsplit(".", 1)[-1] in EXPORTS


async def check_all(drive: GoogleDrive, items: dict[str, Item]) -> dict[str, str]:
    """Read everything that has content and compare it with Drive's checksums; the reasons of what Drive refuses."""
    refused = {}
    for item in filter(has_content, items.values()):
        try:
            data = await fetch_whole(drive, item)
        except ItemUnavailableError as error:
            refused[item.name] = error.reason
            continue
        assert data or item.size == 0
        if item.kind == "file":
            assert (len(data), hashlib.md5(data).hexdigest()) == (item.size, item.md5), item.name
    return refused


async def fetch_whole(drive: GoogleDrive, item: Item) -> bytes:
    """Fetch again when a body broke off, as the transfer does."""
    for _ in range(20):
        try:
            return await fetch(drive, item)
        except BrokenBodyError:
            continue
    raise AssertionError(f"{item.name} broke off twenty times")


REFUSED = {"flagged.exe": "cannotDownloadAbusiveFile", "no download.pdf": "cannotDownloadFile"}


async def test_every_item_of_the_sample_is_listed_and_read_whole(local: str, tmp_path: Path) -> None:
    async with open_drive(local, tmp_path) as drive:
        items = await everything(drive, ANN)

        assert len(items) > 300
        assert await check_all(drive, items) == REFUSED
        huge = next(item for item in items.values() if item.name == "Huge document")
        assert len(await fetch(drive, huge)) > 10**7


async def test_a_shared_drive_is_read_too(local: str, tmp_path: Path) -> None:
    async with open_drive(local, tmp_path) as drive:
        found = await drive._client.get_json("drives", what="the shared drives")
        source = Source(kind="drive", id=found["drives"][0]["id"])

        assert (await drive.root(source)).id == source.id
        assert await drive.change_token(source) != await drive.change_token(ANN)
        items = await everything(drive, source)
        assert items
        assert await check_all(drive, items) == {}


async def test_faults_change_nothing_but_the_number_of_calls(local: str, tmp_path: Path) -> None:
    async with open_drive(local, tmp_path) as drive:
        expected = set(await everything(drive, ANN))
        await inflict(
            local,
            {"kind": "error", "rate": 0.1, "status": 403, "reason": "userRateLimitExceeded"},
            {"kind": "error", "rate": 0.1, "status": 429, "reason": "rateLimitExceeded", "retry_after": 1},
            {"kind": "error", "rate": 0.1, "status": 503, "reason": "backendError"},
            {"kind": "html", "rate": 0.1, "status": 502},
            {"kind": "error", "rate": 0.05, "status": 401, "reason": "authError", "routes": ["files.*"]},
            {"kind": "cut", "rate": 0.2, "at": 10},
        )
        items = await everything(drive, ANN)

        assert set(items) == expected
        assert await check_all(drive, items) == REFUSED
