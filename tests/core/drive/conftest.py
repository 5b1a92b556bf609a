from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.pacing import QuotaLimiter
from tests.support.scripted_drive import FakeClock, FakeTokens, ScriptedServer, scripted_server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens() -> FakeTokens:
    return FakeTokens()


@pytest.fixture
def settings() -> DriveSettings:
    return DriveSettings(read_timeout=5)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        yield server


@pytest.fixture
async def drive(
    server: ScriptedServer, clock: FakeClock, tokens: FakeTokens, settings: DriveSettings
) -> AsyncIterator[GoogleDrive]:
    async with GoogleDrive(
        tokens,
        limiter=QuotaLimiter(clock),
        clock=clock,
        api_endpoint=server.url,
        settings=settings,
        chance=lambda: 0.5,
    ) as drive:
        yield drive
