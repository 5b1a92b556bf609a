"""Snapshots whose selection was changed by hand, as a person meets them: marked, and never silently taken."""

import asyncio
import json

import pytest

from include.drive_backup.model import Series
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"
NARROWED, WIDER = (Series.narrowed_name("default", text) for text in ("one file", "everything"))
NIGHT, NOON, LATER = "20260301T000000.000Z", "20260301T120000.000Z", "20260301T130000.000Z"


async def back_up():
    """A night that leaves drafts out; by hand, one file at noon, and all of it later."""
    made = Backup(FakeDrive(*(file(name, name.encode(), id=f"id-{name}") for name in ("a.txt", "b.txt", "c.draft"))))
    await made.run("2026-03-01", exclude=("*.draft",))
    made.clock.set(at("2026-03-01T12:10"))
    await made.run("2026-03-01T12:00", include=("a.txt",), exclude=("*.draft",), series=NARROWED)
    made.clock.set(at("2026-03-01T13:10"))
    await made.run("2026-03-01T13:00", trashed=True, save=("comments",), series=WIDER)
    return made


@pytest.fixture
def backup():
    return asyncio.run(back_up())


@pytest.fixture
def run(backup, on_store):
    return on_store(backup.store)


def rows(said):
    return [json.loads(line) for line in said[1].splitlines()]


WIDE = "no exclude instead of exclude *.draft; trashed instead of no trashed; save comments instead of no save"


def test_lists_say_how_the_selection_differs_also_where_it_is_wider(run):
    notes = {row["snapshot"]: row["note"] for row in rows(run("--json", "snapshots", ANN))}
    assert notes == {
        NIGHT: None,
        NOON: "selected by hand: include a.txt instead of no include",
        LATER: f"selected by hand: {WIDE}",
    }
    assert {row["note"] for row in rows(run("--json", "sources"))} == set(notes.values())
    _, out, _ = run("snapshots", ANN, "--series", WIDER)
    assert out.rstrip().endswith("selected by hand: trashed; save comments")


@pytest.mark.parametrize(
    "command", [("ls",), ("restore", "--to", "x"), ("restore", "--dry-run", "--to", "x"), ("hold",)]
)
def test_who_reads_one_is_told(run, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    name, *more = command
    if name == "hold":
        code, out, err = run("hold", ANN, "latest", "case-7", "--series", WIDER)
        assert f"{WIDER}/{LATER} is held by 'case-7'" in out
    else:
        code, out, err = run(name, ANN, "--at", LATER, *more)
    assert code == 0
    assert f"selected by hand ({WIDE}): it holds 3 items and does not stand for what the job 'default' saves" in err
    assert f"The job's own snapshot {NIGHT} has 2 items." in err
    if name == "restore":
        assert f"{ANN} as of {WIDER}/{LATER}: 3 files" in out


def test_a_heading_counts_one_item_as_one(run, tmp_path):
    _, out, _ = run("restore", ANN, "--at", NOON, "--to", str(tmp_path / "x"))
    assert f"{ANN} as of {NARROWED}/{NOON}: 1 file, " in out


def test_holds_are_listed_and_released_by_the_series_name(run):
    assert f"{NARROWED}/{NOON} is held by 'case-7'" in run("hold", ANN, f"{NARROWED}/{NOON}", "case-7")[1]
    run("hold", ANN, NIGHT, "case-7")
    run("hold", ANN, NIGHT, "audit 2026")
    held = {row["snapshot"]: row["held"] for row in rows(run("--json", "snapshots", ANN))}
    assert held == {NIGHT: ["audit 2026", "case-7"], NOON: ["case-7"], LATER: []}
    assert "\taudit 2026, case-7\t" in run("snapshots", ANN)[1]
    assert f"{NARROWED}/{NOON} is no longer held" in run("release", ANN, NOON, "case-7")[1]


def test_find_marks_what_was_selected_by_hand_and_names_the_series_there_are(run):
    found = rows(run("--json", "find", ANN, "a.txt"))
    assert {row["series"]: row["note"] for row in found} == {
        "default": None,
        NARROWED: "selected by hand",
        WIDER: "selected by hand",
    }
    code, _, err = run("find", ANN, "a.txt", "--series", "TYPO")
    assert (code, f"There is no series 'TYPO' of {ANN}. There is: default" in err) == (2, True)
    code, _, err = run("find", "user/anne@example.com", "a.txt")
    assert (code, f"There are snapshots of: {ANN}" in err) == (2, True)


def test_forget_marks_them(run):
    _, out, _ = run("forget", ANN, "--keep-last", "1")
    assert f"{NARROWED}/{NOON} (selected by hand)" in out
    assert f"default/{NIGHT}" in out


def test_a_drill_names_the_series(run):
    code, out, _ = run("verify", ANN, "--drill", "--series", NARROWED)
    assert (code, f"Drill: {ANN} as of {NARROWED}/{NOON}" in out) == (0, True)


@pytest.mark.parametrize("command", ["ls", "restore", "hold", "release", "diff", "verify"])
def test_the_help_says_that_an_id_may_have_its_series(run, command):
    assert "SERIES/ID" in run(command, "--help")[1]
