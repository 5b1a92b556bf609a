"""People of an organisation who are renamed, go, and whose addresses are given on: from the local Drive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
from drive_backup_airflow.wiring import directory
from include.drive_backup.errors import DriveBackupError, SnapshotIncompleteError, SourceNotFoundError
from include.drive_backup.groups import Listed
from include.drive_backup.identity.registry import read_people
from include.drive_backup.identity.sources import find_sources
from include.drive_backup.report import readable, verdict
from include.drive_backup.selection import parse_entry
from include.drive_backup.stopped import find_stopped
from include.local_cloud.drive import ANN, BOB
from include.local_cloud.drive.people import delete_user, drop_alias, rename_user
from tests.support.fake_drive import at
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive

ANNE = "anne@example.com"
ADMIN = "admin@example.com"


class Company(LocalDrive):
    """Ann, Bob and an administrator, and a job that backs up whom its sources name."""

    def __init__(self) -> None:
        super().__init__()
        self.state.clock.move(0)
        self.state.add_user(ADMIN, admin=True)
        self.backup = Backup(None)  # type: ignore[arg-type]
        self.night = 0

    async def run(self, *entries: Any, change: Any = None) -> dict[str, Any]:
        """One night: the summaries by source, or the reason why not."""
        self.night += 1
        # Google's tokens are of the machine's time, so the nights are those to come.
        day = (datetime.now(UTC) + timedelta(days=self.night)).strftime("%Y-%m-%d")
        self.backup.clock.set(at(f"{day}T00:10"))
        sources = [parse_entry(each) for each in entries or ("users/*",)]
        found, self.left_out = await find_sources(
            self.backup.store, sources, directory("google"), by=f"run-{self.night}", keep=True
        )
        if change is not None:
            change()
        done: dict[str, Any] = {row.source: row.reason for row in self.left_out}
        for each in found:
            address = each.person.address if each.person else None
            task = {"subject": address, "address": address, "person": each.person and each.person.permission_id}
            hook = GoogleDriveBackupHook("google", address)
            try:
                async with hook.get_drive(stands_for=address) as drive:
                    self.backup.drive = drive  # type: ignore[assignment]
                    done[str(each.source)] = await self.backup.run(day, str(each.source), **task)
            except DriveBackupError as error:
                done[str(each.source)] = error.reason
                self.error = error
        self.attempted = {str(each.source) for each in found}
        return done

    def rename(self, old: str, new: str) -> None:
        rename_user(self.state, old, new)
        self.server.service.tokens.rename(old, new)

    async def paths(self, summary: dict[str, Any]) -> list[str]:
        return sorted(row["path"] for row in (await self.backup.rows(summary)).values())

    async def stopped(self) -> Any:
        rows = [Listed(source=r.source, outcome="left_out", reason=r.reason, message=r.message) for r in self.left_out]
        clock = self.backup.clock
        return await find_stopped(self.backup.store, "default", f"run-{self.night}", self.attempted, rows, clock)


@pytest.fixture
async def company(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    company = Company()
    for number in range(3):
        company.file(f"{number}.txt", content=b"ann %d" % number)
    company.file("bob.txt", company.state.users[BOB].root_id, by=BOB, content=b"bob")
    async with company.server as server:
        key = json.loads((server.folder / "service-account.json").read_text())
        extra = {"keyfile_dict": key, "api_endpoint": server.url, "subject": ADMIN}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps({"conn_type": "google_cloud_platform", "extra": extra}))
        yield company


@pytest.mark.parametrize("entries", [("users/*",), ("user/ann@example.com",)])
@pytest.mark.parametrize("later", [("users/*",), ("user/anne@example.com",)])
async def test_the_history_of_somebody_renamed_goes_on_and_nothing_is_read_again(company, entries, later):
    await company.run(*entries)
    await company.run(*entries)
    company.rename(ANN, ANNE)
    stored = set(company.backup.contents())
    downloads, listings = company.calls("files.get.media"), company.calls("files.list")
    bob_is_new = later == ("users/*",) != entries
    third = (await company.run(*later))[f"user/{ANN}"]
    mine = {name for name in company.backup.contents() if "/user/ann" in f"/{name}"}
    assert mine == {name for name in stored if f"/{ANN}/" in name}
    assert (third["counts"], third["status"]) == ({"unchanged": 3}, "complete")
    assert company.calls("files.get.media") == downloads + bob_is_new
    # The listing of before and the change feed do, as if nothing had happened.
    assert bob_is_new or company.calls("files.list") == listings
    new, known = await company.stopped()
    assert f"user/{ANN}" not in {each.source for each in (*new, *known)}


async def test_a_change_since_the_rename_comes_by_the_change_feed(company):
    await company.run()
    await company.run()
    company.rename(ANN, ANNE)
    company.file("new.txt", by=ANNE, parent=company.state.users[ANNE].root_id, content=b"new")
    summary = (await company.run())[f"user/{ANN}"]
    assert (summary["counts"], await company.paths(summary)) == (
        {"copied": 1, "unchanged": 3},
        ["0.txt", "1.txt", "2.txt", "new.txt"],
    )


@pytest.mark.parametrize("entry", ["users/*", "user/ann@example.com"])
async def test_an_address_that_is_given_to_somebody_else_starts_a_history_of_its_own(company, entry):
    await company.run(entry)
    company.rename(ANN, ANNE)
    with pytest.raises(ValueError, match="already exists"):
        company.state.add_user(ANN)
    drop_alias(company.state, ANN)
    second = company.state.add_user(ANN)
    company.file("hers.txt", second.root_id, by=ANN, content=b"hers")
    done = await company.run(entry)
    assert await company.paths(done[f"user/{ANN}~2"]) == ["hers.txt"]
    if entry == "users/*":
        assert await company.paths(done[f"user/{ANN}"]) == ["0.txt", "1.txt", "2.txt"]
    else:
        new, _ = await company.stopped()
        assert [each.source for each in new] == [f"user/{ANN}"]


async def test_an_address_that_changes_hands_between_two_steps_of_a_run_stores_nothing(company):
    await company.run()

    def change() -> None:
        delete_user(company.state, ANN)
        company.server.service.tokens.rename(ANN, None)
        company.file("hers.txt", company.state.add_user(ANN).root_id, by=ANN)

    done = await company.run(change=change)
    assert done[f"user/{ANN}"] == "otherPerson"
    assert isinstance(company.error, SourceNotFoundError)
    assert not [name for name in company.backup.contents() if "hers.txt" in name]
    assert await company.paths((await company.run())[f"user/{ANN}~2"]) == ["hers.txt"]


async def test_who_could_not_be_asked_at_first_is_not_stored_under_a_guessed_name(company, monkeypatch):
    await company.run()
    company.rename(ANN, ANNE)
    drop_alias(company.state, ANN)
    company.file("hers.txt", company.state.add_user(ANN).root_id, by=ANN)

    async def nobody(*_):
        return None

    with monkeypatch.context() as patched:
        patched.setattr("drive_backup_airflow.hooks.directory.GoogleDirectoryHook.permission_id", nobody)
        done = await company.run()
    assert done[f"user/{ANN}~2"] == "personUnknown"
    assert not [name for name in company.backup.contents() if "hers.txt" in name]
    assert await company.paths((await company.run())[f"user/{ANN}~2"]) == ["hers.txt"]


@pytest.mark.parametrize("how", ["suspended", "deleted"])
async def test_who_left_is_kept_and_alarms_nobody(company, how):
    await company.run()
    if how == "suspended":
        company.state.users[BOB].suspended = True
    else:
        delete_user(company.state, BOB)
        company.server.service.tokens.rename(BOB, None)
    assert (await company.run())[f"user/{BOB}"] == how
    new, _ = await company.stopped()
    assert [(each.source, each.left) for each in new] == [(f"user/{BOB}", True)]
    verdict([], [], stopped=new)
    assert f"user/{BOB} has left ({how})" in readable([], [], stopped=new)


async def test_who_is_only_not_listed_has_not_left_for_certain(company):
    await company.run()
    company.rename(BOB, "bob@example.org")
    await company.run({"users": {"domain": "example.com"}})
    new, _ = await company.stopped()
    assert [(each.source, each.reason) for each in new] == [(f"user/{BOB}", "notFound")]
    with pytest.raises(SnapshotIncompleteError):
        verdict([], [], stopped=new)


async def test_the_old_address_can_be_acted_as_by_nobody(company):
    await company.run()
    company.rename(ANN, ANNE)
    assert await directory("google").permission_id(ANN) is None
    assert await directory("google").permission_id(ANNE) == company.state.users[ANNE].permission_id


async def test_what_is_written_down_of_people(company):
    await company.run()
    company.rename(ANN, ANNE)
    await company.run()
    number, people = await read_people(company.backup.store)
    ann = people.named(ANN)
    assert (number, ann.address, ann.former) == (2, ANNE, (ANN,))
    assert ann.permission_id != ann.directory_id
    await company.run()
    assert (await read_people(company.backup.store))[0] == 2
