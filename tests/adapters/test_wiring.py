"""A task's Drive: within the quota that all tasks share, and with the books of the run kept."""

import json
from collections.abc import AsyncIterator

import pytest

from drive_backup_airflow.wiring import open_shared_drive
from include.drive_backup.errors import DailyQuotaError
from include.drive_backup.handover import SourceTask
from include.drive_backup.settings import Config, Job
from include.drive_backup.spent import spent_by_run
from tests.support.memory_blob import MemoryBlobStore
from tests.support.scripted_drive import ScriptedServer, ok, scripted_server

TASK = SourceTask(source="drive/0ABC", instant="20260301T000000.000Z", run="r1")


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        server.on("/token", ok({"access_token": "secret-token", "expires_in": 3600}), method="POST")
        server.on("/drive/v3/about", ok({"user": {"emailAddress": "ann@example.com"}}))
        server.on("/drive/v3/files/x", ok({"id": "x", "name": "x"}))
        user = {
            "type": "authorized_user",
            "client_id": "id",
            "client_secret": "secret",
            "refresh_token": "refresh",
            "token_uri": f"{server.url}/token",
        }
        extra = {"api_endpoint": server.url, "keyfile_dict": user, "subject": "Ann@example.com"}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps({"conn_type": "google_cloud_platform", "extra": extra}))
        yield server


async def test_it_claims_for_its_user_keeps_the_books_and_leaves_nothing_else(server):
    store = MemoryBlobStore()
    quota = Config().quota("nightly", Job(units_per_day=10**6))
    async with open_shared_drive("google", store, TASK, quota=quota) as drive:
        (claim,) = [info async for info in store.list("quota/drive_backup_google/claims/", metadata=True)]
        assert claim.metadata["user"] == "ann@example.com"
        await drive.get_item("x")
    assert (await spent_by_run(store, TASK)).units == 5
    assert {name.split("/")[2] for name in store.blobs if name.startswith("quota/")} == {"days"}


async def test_a_day_that_is_used_up_refuses_calls_with_a_sentence(server):
    quota = Config().quota("nightly", Job(units_per_day=1))
    with pytest.raises(DailyQuotaError, match=r"jobs\.nightly\.units_per_day sets is used up.*UTC goes on"):
        async with open_shared_drive("google", MemoryBlobStore(), TASK, quota=quota) as drive:
            await drive.user_email()
