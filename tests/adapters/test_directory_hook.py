"""Users and shared drives of an organisation through a connection, from the local Drive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from drive_backup_airflow.wiring import directory, open_drive
from include.drive_backup.drive.directory import directory_endpoint
from include.drive_backup.errors import AccountUnavailableError, CredentialsError
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing import list_source
from include.drive_backup.model import Source
from include.drive_backup.ports import Account
from include.local_cloud.drive import BOB, DriveServer, organisation_state, sample_state
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

ADMIN = "ann@example.com"
DRIVE_SCOPE = "https://www.googleapis.com/auth/drive.readonly"
USERS_SCOPE = "https://www.googleapis.com/auth/admin.directory.user.readonly"


@pytest.fixture
async def server() -> AsyncIterator[DriveServer]:
    async with DriveServer(organisation_state(users=1_203, drives=7)) as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(server: DriveServer, subject: str | None = ADMIN) -> None:
        key = json.loads((server.folder / "service-account.json").read_text())
        extra = {"keyfile_dict": key, "api_endpoint": server.url, **({"subject": subject} if subject else {})}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps({"conn_type": "google_cloud_platform", "extra": extra}))

    return connect


async def users(**asked: Any) -> list[Account]:
    return [account async for account in directory("google").users(**{"domain": None, "admin": None, **asked})]


async def test_every_user_is_listed_five_hundred_a_call(server: DriveServer, connect: Any) -> None:
    connect(server)
    server.service.state.users["user00007@example.com"].suspended = True
    found = await users()
    assert len({account.email for account in found}) == 1_204
    assert [account.email for account in found if account.suspended] == ["user00007@example.com"]
    assert {account.org_unit for account in found} == {"/", *(f"/Unit {number}" for number in range(10))}
    assert server.service.stats.calls["directory.users.list"] == 3
    assert await users(domain="example.com") == found


async def test_only_an_administrator_lists_users(server: DriveServer, connect: Any) -> None:
    connect(server, subject="user00001@example.com")
    with pytest.raises(CredentialsError, match="needs an administrator"):
        await users()
    assert len(await users(admin=ADMIN)) == 1_204


async def test_a_scope_that_is_not_delegated_is_named(server: DriveServer, connect: Any) -> None:
    connect(server)
    server.service.tokens.delegated = frozenset({DRIVE_SCOPE})
    with pytest.raises(CredentialsError, match=USERS_SCOPE):
        await users()


async def test_every_shared_drive_is_listed_with_whether_it_can_be_read(server: DriveServer, connect: Any) -> None:
    connect(server)
    found = [drive async for drive in directory("google").shared_drives(admin=None)]
    assert {drive.name: drive.readable for drive in found} == {
        f"Team {number:04d}": number % 2 == 0 for number in range(7)
    }
    connect(server, subject="user00000@example.com")
    with pytest.raises(CredentialsError, match="administrator privilege"):
        _ = [drive async for drive in directory("google").shared_drives(admin=None)]
    found = [drive async for drive in directory("google").shared_drives(admin=ADMIN)]
    assert sum(drive.readable for drive in found) == 3


async def test_me_is_the_connections_subject(server: DriveServer, connect: Any) -> None:
    connect(server)
    assert await directory("google").me() == ADMIN


@pytest.mark.parametrize(("field", "value"), [("suspended", True), ("drive_enabled", False)])
async def test_a_user_without_a_drive_is_told_apart_from_a_bad_credential(
    server: DriveServer, connect: Any, field: str, value: bool
) -> None:
    connect(server)
    setattr(server.service.state.users["user00003@example.com"], field, value)
    with pytest.raises(AccountUnavailableError, match="user00003"):
        async with open_drive("google", "user00003@example.com") as drive:
            await drive.root(Source.parse("user/user00003@example.com"))


async def test_a_user_that_does_not_exist_is_told_apart_too(server: DriveServer, connect: Any) -> None:
    connect(server)
    with pytest.raises(AccountUnavailableError, match="no such user"):
        async with open_drive("google", "nobody@example.com") as drive:
            await drive.user_email()


async def test_what_is_shared_with_bob_is_what_ann_shared_and_what_is_below(connect: Any) -> None:
    async with DriveServer(sample_state()) as server:
        connect(server)
        task = SourceTask(source=f"shared/{BOB}", instant="20260301T000000.000Z", run="r", subject=BOB)
        async with open_drive("google", BOB) as drive:
            store = MemoryBlobStore()
            listing = await list_source(drive, store, task, FakeClock())
            pages = [page async for page in drive.list_shared(Source.parse(task.source))]
        items = {item.name: item for page in pages for item in page.items}
        assert {"Together", "Bob was here.txt"} <= set(items)
        assert "Bob's own.txt" not in items
        assert items["Together"].parents == ()
        assert (listing.root_id, listing.items) == ("", sum(len(page.items) for page in pages))


def test_the_directory_has_a_host_of_its_own_at_google_only() -> None:
    assert directory_endpoint(None) == "https://admin.googleapis.com"
    assert directory_endpoint("https://www.googleapis.com/") == "https://admin.googleapis.com"
    assert directory_endpoint("http://127.0.0.1:80") == "http://127.0.0.1:80"
