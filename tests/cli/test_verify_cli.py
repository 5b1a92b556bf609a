"""``drive-backup verify`` on several sources: each is looked at, whatever is wrong with another one."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from include.drive_backup.cli import app
from include.drive_backup.model import Series
from tests.core.verification.tamper import put
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_repair import MemoryRepairStore
from tests.support.trees import file

ANN, BOB, ZOE = "user/ann@example.com", "user/bob@example.com", "user/zoe@example.com"
NARROWED = Series.narrowed_name("default", "one file")
NIGHT, NOON = "20260301T000000.000Z", "20260301T120000.000Z"


async def back_up():
    made = Backup(FakeDrive(*(file(f"{n}.txt", b"x" * 100 + bytes([n]), id=f"id{n}") for n in range(3))))
    for source in (ANN, BOB, ZOE):
        await made.run("2026-03-01", source=source)
    made.clock.set(at("2026-03-01T12:10"))
    await made.run("2026-03-01T12:00", source=BOB, include=("1.txt",), series=NARROWED)
    await made.run("2026-03-01T12:00", source=BOB, series="noon")
    return made


@pytest.fixture
def backup():
    return asyncio.run(back_up())


@pytest.fixture
def run(backup, on_store):
    return on_store(backup.store)


def lose(backup, source, part="manifest"):
    for name in [each for each in backup.store.blobs if each.startswith(f"snapshots/{source}/") and part in each]:
        put(backup.store, name, b"{")


@pytest.mark.parametrize("at_", [NOON, "latest", "2026-02-01"])
def test_a_source_that_has_no_such_snapshot_is_named_and_the_others_are_looked_at(run, backup, at_):
    if at_ == "latest":
        backup.store.blobs = {
            name: blob for name, blob in backup.store.blobs.items() if not name.startswith(f"snapshots/{ANN}/default/")
        }
        asyncio.run(backup.run("2026-03-01T12:00", source=ANN, include=("1.txt",), series=NARROWED))
    code, out, err = run("verify", "--at", at_)
    assert code == 1
    assert f"WARNING: There {'are only' if at_ == 'latest' else 'is no'}" in err
    assert ANN in err
    assert (BOB in out, ZOE in out) == {NOON: (True, False), "latest": (True, True)}.get(at_, (False, False))


def test_a_drill_goes_on_after_a_source_that_cannot_be_restored(run, backup):
    lose(backup, ANN)
    code, out, err = run("verify", "--drill")
    assert code == 1
    assert "WARNING: No complete snapshot of user/ann@example.com (default) can be read." in err
    assert sum(line.startswith("Drill: ") for line in out.splitlines()) == 3
    lose(backup, BOB, "default/20260301T000000.000Z/items")
    code, out, err = run("verify", "--drill")
    assert code == 1
    assert sum(line.startswith("Drill: ") for line in out.splitlines()) == 2


def test_a_series_may_be_that_of_some_sources_only(run):
    code, out, err = run("verify", "--series", "noon", "--drill")
    assert (code, err.strip()) == (0, "")
    assert [line.split(": ")[0] for line in out.splitlines()] == [BOB, "Drill"]
    code, _, err = run("verify", "--series", "non")
    assert (code, "no snapshot in a series 'non'" in err) == (2, True)


@pytest.mark.parametrize("which", [NOON, f"{NARROWED}/{NOON}"])
def test_a_narrowed_snapshot_is_verified_by_its_id(run, which):
    code, out, err = run("verify", BOB, "--at", which)
    assert (code, err.strip()) == (0, "")
    assert "nothing is damaged" in out
    assert ("1 snapshot with 1 content" in out) == ("/" in which)


def test_one_source_that_is_not_there_is_an_error(run):
    code, _, err = run("verify", "user/bop@example.com")
    assert code == 2
    assert "There are snapshots of: user/ann@example.com" in err


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_a_container_without_a_snapshot_is_a_sentence(on_store, monkeypatch, command):
    @asynccontextmanager
    async def opened(_):
        yield MemoryRepairStore()

    monkeypatch.setattr(app, "open_repair_store", opened)
    code, _, err = on_store(MemoryRepairStore())(command)
    assert (code, err) == (2, "drive-backup: The container holds no snapshot. Is it the right one?\n")
