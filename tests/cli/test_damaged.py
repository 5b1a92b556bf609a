"""The command line on a container in which somebody deleted, cut or spoilt things: it goes on, and says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from include.drive_backup.errors import ContentArchivedError
from include.drive_backup.model import format_instant
from tests.cli.nights import ANN, FIRST, SECOND, THIRD, Nights
from tests.support.fake_drive import at
from tests.support.trees import file, folder


@pytest.mark.parametrize("ident", [FIRST, SECOND, THIRD])
@pytest.mark.parametrize("harm", [Nights.lose, Nights.cut, Nights.spoil])
def test_find_passes_over_any_snapshot_that_is_damaged_and_says_so(nights, run, ident, harm):
    harm(nights, ident)
    code, out, err = run("--json", "find", ANN, "a.txt")
    assert code == 1
    assert {json.loads(line)["first"] for line in out.splitlines()} == {FIRST, SECOND, THIRD} - {ident}
    assert f"Not looked into, or not into all of it: 1 snapshot. {ident}: " in err


def test_find_of_nothing_says_what_was_tried_and_what_could_not_be(nights, run):
    nights.cut(FIRST)
    code, out, err = run("find", ANN, "salary")
    assert code == 1
    assert "whose name has 'salary' in it, in upper or lower case. 2 snapshots looked into, from 20260302T" in out
    assert FIRST in err
    nights.lose(SECOND)
    assert "1 snapshot looked into, from 20260303T" in run("find", ANN, "salary")[1]
    assert run("find", "user/bob@example.com", "x")[0] == 2


@pytest.mark.parametrize("pattern", ["budget", "*budget*", "BUDGET*final*", "reports/budget", "b", "*.XLSX"])
def test_find_finds_what_a_person_means(run, pattern):
    code, out, _ = run("--json", "find", ANN, pattern)
    assert code == 0
    assert "/Reports/Budget 2026 final.xlsx" in {json.loads(line)["path"] for line in out.splitlines()}


@pytest.mark.parametrize("harm", [Nights.lose, Nights.cut])
@pytest.mark.parametrize(
    "command", [("ls", ANN), ("diff", ANN, FIRST), ("restore", ANN, "--to", "out"), ("ls", ANN, "--at", "2026-03-05")]
)
def test_an_older_snapshot_is_never_taken_for_the_newest_in_silence(nights, run, harm, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    harm(nights, THIRD)
    code, _, err = run(*command)
    assert code == 1
    assert f"{SECOND} is NOT the newest snapshot" in err
    assert f"1 newer snapshot cannot be read. {THIRD}: " in err


def test_what_is_asked_for_by_its_id_is_not_replaced(nights, run):
    nights.lose(THIRD)
    for command in (("diff", ANN, FIRST, THIRD), ("restore", ANN, "--at", THIRD, "--to", "out")):
        code, _, err = run(*command)
        assert (code, "items-00000.parquet is missing" in err, "drive-backup doctor" in err) == (2, True, True)
    code, out, err = run("ls", ANN, "--at", THIRD)
    assert (code, out) == (1, "")
    assert "cannot be read, so items may be missing here" in err


def test_a_manifest_that_is_asked_for_by_its_id_and_cut_is_a_sentence_that_says_what_to_do(nights, run):
    nights.cut(THIRD)
    code, _, err = run("ls", ANN, "--at", THIRD)
    assert (code, "is no manifest" in err, "`drive-backup doctor` says which one is whole" in err) == (2, True, True)


def test_snapshots_and_sources_mark_what_is_damaged(nights, run):
    nights.cut(THIRD)
    for command in (("snapshots", ANN), ("sources",)):
        code, out, err = run(*command)
        assert (code, "damaged" in out, "is no manifest" in err) == (1, True, True)


def test_diff_says_when_a_table_of_what_left_is_lost(nights, run):
    nights.backup.clock.set(at("2026-03-04T00:10"))
    nights.backup.drive.delete("a")
    asyncio.run(nights.backup.run("2026-03-04"))
    assert run("diff", ANN, THIRD)[0] == 0
    nights.lose("20260304T000000.000Z", "left")
    code, out, err = run("diff", ANN, THIRD)
    assert code == 1
    assert "removed" in out
    assert "What became of what was removed by 20260304T000000.000Z is not known" in err


def test_verify_of_the_latest_looks_at_the_one_that_cannot_be_read(nights, run):
    nights.cut(THIRD)
    for at_ in ("latest", "2026-03-05", THIRD):
        code, out, _ = run("verify", ANN, "--at", at_)
        assert (code, "is no manifest" in out) == (1, True)
    nights.cut(SECOND)
    nights.cut(FIRST)
    code, out, _ = run("verify", ANN, "--at", "latest")
    assert (code, out.count("is no manifest")) == (1, 3)


def test_a_damaged_snapshot_can_be_held_and_released_by_its_id(nights, run):
    nights.cut(THIRD)
    assert run("hold", ANN, THIRD, "case-7")[0] == 0
    assert run("release", ANN, THIRD, "case-7")[0] == 0
    code, out, err = run("hold", ANN, "latest", "case-7")
    assert (code, SECOND in out, "NOT the newest" in err) == (1, True, True)


def test_a_catalogue_in_the_archive_is_passed_over(nights, run):
    def fault(phase, operation, name):
        if phase == "before" and operation == "read" and name == nights.blob(FIRST, "items"):
            raise ContentArchivedError("It is archived.")

    nights.store.fault = fault
    code, out, err = run("find", ANN, "a.txt")
    assert (code, THIRD in out, "It is archived." in err) == (1, True, True)


def test_a_date_means_its_end_in_the_zone_that_is_said_and_the_instant_is_told(run, monkeypatch):
    _, _, err = run("--json", "ls", ANN, "--at", "2026-03-01")
    assert "'2026-03-01' is taken for the instant 20260301T235959.999Z; the snapshot is 20260301T000000.000Z." in err
    _, _, err = run("ls", ANN, "--at", "2026-03-01", "--time-zone", "America/New_York")
    assert "20260302T045959.999Z; the snapshot is 20260302T000000.000Z" in err
    monkeypatch.setenv("DRIVE_BACKUP_TIME_ZONE", "America/New_York")
    _, _, err = run("ls", ANN, "--at", "2026-03-01T19:00")
    assert "20260302T000000.000Z; the snapshot is 20260302T000000.000Z" in err
    for command in (("diff", ANN, "2026-03-01", "2026-03-02"), ("verify", ANN, "--at", "2026-03-01")):
        code, _, err = run(*command)
        assert (code, "taken for the instant 20260302T045959.999Z" in err) == (0, True)
    code, _, err = run("ls", ANN, "--at", "2026-03-01", "--time-zone", "Mars/North")
    assert (code, "'Mars/North' is no time zone" in err) == (2, True)


def test_what_is_shown_of_a_time_finds_that_snapshot_again(nights, run):
    moment = datetime(2026, 3, 4, 10, 0, 0, 417000, tzinfo=UTC)
    nights.backup.clock.set(moment + timedelta(minutes=5))
    asyncio.run(nights.backup.run(moment.isoformat()))
    _, out, _ = run("--json", "snapshots", ANN)
    shown = json.loads(out.splitlines()[-1])["time"]
    assert shown == "2026-03-04T10:00:00.417000Z"
    assert f"the snapshot is {format_instant(moment)}" in run("ls", ANN, "--at", shown)[2]


def test_ls_takes_a_folder_in_any_case_unless_one_has_the_name_exactly(nights, run):
    assert "/Reports/a.txt" in run("ls", ANN, "reports")[1]
    nights.backup.drive.add(folder("reports", file("other.txt", b"o", id="o"), id="lower"))
    nights.backup.clock.set(at("2026-03-04T00:10"))
    asyncio.run(nights.backup.run("2026-03-04"))
    assert [line.split("\t")[-1] for line in run("ls", ANN, "reports")[1].splitlines()] == ["/reports/other.txt"]
    assert len(run("ls", ANN, "REPORTS")[1].splitlines()) == 3


HARMS = (None, Nights.lose, Nights.cut, Nights.spoil)


def test_whatever_is_damaged_each_command_goes_on_and_names_it(nights, on_store, tmp_path, monkeypatch):
    """Every way to damage three snapshots: nothing ends in a traceback, and no damage that matters stays unsaid."""
    monkeypatch.chdir(tmp_path)
    sound = dict(nights.store.blobs)
    for harms in itertools.product(HARMS, repeat=3):
        nights.store.blobs = dict(sound)
        hurt = {ident: harm for ident, harm in zip((FIRST, SECOND, THIRD), harms, strict=True) if harm}
        for ident, harm in hurt.items():
            harm(nights, ident)
        run = on_store(nights.store)
        code, out, err = run("--json", "find", ANN, "a.txt")
        found = {json.loads(line)["first"] for line in out.splitlines()}
        assert (code, found) == (int(bool(hurt)), {FIRST, SECOND, THIRD} - hurt.keys()), (hurt, err)
        assert all(ident in err for ident in hurt)
        code, out, err = run("ls", ANN, "/Reports")
        assert (code == 0) == (THIRD not in hurt), (hurt, out, err)
        assert THIRD not in hurt or THIRD in err
        code, out, err = run("doctor")
        assert (code == 0) == (THIRD not in hurt), (hurt, out, err)
        # Of older ones a listing shows what is missing or cut.
        assert all(ident in out for ident, harm in hurt.items() if harm is not Nights.spoil), (hurt, out)
        whole = max({FIRST, SECOND, THIRD} - hurt.keys(), default="complete snapshot can be read")
        assert whole in out, (hurt, out)
