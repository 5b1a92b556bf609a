"""Series as a person meets them on the command line: marked, told apart, and never taken for one another."""

import asyncio
import json
import uuid

import pytest
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.cli import verify
from include.drive_backup.clock import SystemClock
from include.drive_backup.model import Series
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"
NARROWED = Series.narrowed_name("default", "one file")
NOON = "20260302T120000.000Z"

pytestmark = pytest.mark.integration


async def back_up(azurite, name, noon):
    """Two nights, and a run at noon that selects one file of eight."""
    async with (
        ContainerClient.from_connection_string(azurite, name) as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        made = Backup(FakeDrive(*(file(f"{n}.txt", b"x" * 100 + bytes([n]), id=f"id{n}") for n in range(8))), store)
        await made.run("2026-03-01")
        made.clock.set(at("2026-03-02T00:10"))
        await made.run("2026-03-02")
        made.clock.set(at("2026-03-02T12:10"))
        await made.run("2026-03-02T12:00", include=("1.txt",), series=noon)


@pytest.fixture
def cli(azurite, command_line):
    def of(noon):
        name = f"c{uuid.uuid4().hex[:20]}"
        asyncio.run(back_up(azurite, name, noon))
        return command_line(name)

    return of


def test_a_narrowed_snapshot_is_marked_and_restoring_it_says_what_it_lacks(cli, tmp_path):
    run = cli(NARROWED)
    code, out, _ = run("snapshots", ANN)
    assert code == 0
    assert sum("selected by hand: include 1.txt instead of no include" in line for line in out.splitlines()) == 1
    code, out, err = run("restore", ANN, "--to", str(tmp_path / "all"))
    assert (code, err.strip()) == (0, "")
    assert len(list((tmp_path / "all").iterdir())) == 8
    code, out, err = run("restore", ANN, "--at", NOON, "--to", str(tmp_path / "one"))
    assert code == 0
    assert "selected by hand (include 1.txt instead of no include): it holds 1 item" in err
    assert "20260302T000000.000Z has 8 items" in err
    assert run("restore", ANN, "--series", NARROWED, "--to", str(tmp_path / "one"))[0] == 0


def test_doctor_and_diff_go_by_the_jobs_own_snapshots(cli):
    run = cli(NARROWED)
    _, out, _ = run("doctor")
    assert "newest complete snapshot is 20260302T000000.000Z" in out
    _, out, err = run("diff", ANN, "2026-03-01", NOON)
    assert "made with different selections" in err
    code, out, err = run("diff", ANN, "2026-03-01")
    taken = "Note: '2026-03-01' is taken for the instant 20260301T235959.999Z; the snapshot is 20260301T000000.000Z.\n"
    assert (code, out, err) == (0, "", taken)


@pytest.mark.parametrize(
    "command", [("ls", ANN), ("restore", ANN, "--to", "x"), ("hold", ANN, "latest", "case-7"), ("diff", ANN, "latest")]
)
def test_where_two_jobs_have_one_source_it_asks_for_the_series(cli, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = cli("noon")
    code, _, err = run(*command)
    assert code == 2
    assert "default, noon" in err
    assert "--series" in err
    assert run(*command, "--series", "noon")[0] == 0


def test_each_job_has_a_line_of_its_own(cli):
    run = cli("noon")
    _, out, _ = run("--json", "sources")
    assert {(row["series"], row["snapshots"]) for row in map(json.loads, out.splitlines())} == {
        ("default", 2),
        ("noon", 1),
    }
    _, out, _ = run("doctor")
    assert f"{ANN} (default)" in out
    assert f"{ANN} (noon)" in out
    code, out, _ = run("verify", ANN)
    assert code == 0
    assert "3 snapshots" in out
    _, out, _ = run("forget", ANN, "--keep-last", "1")
    assert "forget  default/20260301T000000.000Z" in out
    assert "keep    noon/" in out


def test_a_job_that_ended_is_settled_and_then_neither_asked_about_nor_alarming(cli):
    run = cli("noon")
    code, out, _ = run("settle", ANN, "--series", "noon", "--note", "job removed")
    assert (code, "ended with 20260302T120000.000Z" in out) == (0, True)
    assert run("ls", ANN)[0] == 0
    _, out, _ = run("--json", "doctor")
    results = {row["check"]: row for row in map(json.loads, out.splitlines())}
    assert results[f"{ANN} (noon)"]["result"] == "ended"
    assert "job removed" in results[f"{ANN} (noon)"]["message"]
    assert run("settle", "user/nobody@example.com")[0] == 2


def test_a_drill_restores_of_each_job_and_passes_over_what_a_person_narrowed(cli):
    code, out, err = cli("noon")("verify", "--drill")
    assert (code, err.strip()) == (0, "")
    assert sum(line.startswith("Drill: ") for line in out.splitlines()) == 2
    run = cli(NARROWED)
    code, out, _ = run("verify", "--drill")
    assert (code, sum(line.startswith("Drill: ") for line in out.splitlines())) == (0, 1)
    code, out, _ = run("verify", "--drill", "--series", NARROWED)
    assert (code, sum(line.startswith("Drill: ") for line in out.splitlines())) == (0, 1)


def test_all_that_is_verified_is_protected_meanwhile(cli, monkeypatch):
    read, protected = [], verify.protected
    monkeypatch.setattr(verify, "protected", lambda *said: read.append(said[2]) or protected(*said))
    run = cli("noon")
    assert run("verify", ANN, "--at", "latest")[0] == 0
    assert run("verify", ANN, "--at", "latest", "--series", "noon")[0] == 0
    assert [str(what) for what in read[:1]] == [ANN]
    assert [what.key for what in read[1:]] == [f"noon/{NOON}"]
