"""The command line on a container in which somebody deleted, cut or spoilt things: it goes on, and says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from include.drive_backup.errors import ContentArchivedError, ItemLaterError
from include.drive_backup.model import format_instant
from tests.core.verification.tamper import put
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

ANN = "user/ann@example.com"
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]
FIRST, SECOND, THIRD = (f"{day.replace('-', '')}T000000.000Z" for day in DAYS)


class Nights:
    """Three nights; ``a.txt`` is new in each, ``Budget 2026 final.xlsx`` is of the first."""

    def __init__(self, clock=None):
        files = [file("a.txt", b"a1", id="a"), file("Budget 2026 final.xlsx", b"sum", id="b")]
        self.backup = Backup(FakeDrive(folder("Reports", *files, id="reports")))
        self.store = self.backup.store
        asyncio.run(self._back_up())
        self.store.clock = clock

    async def _back_up(self):
        for number, day in enumerate(DAYS):
            self.backup.clock.set(at(f"{day}T00:10"))
            self.backup.drive.write("a", f"a{number}".encode(), f"{day}T00:00:00.000Z")
            await self.backup.run(day)

    def blob(self, ident, name):
        [found] = [each for each in self.store.blobs if each.startswith(f"snapshots/{ANN}/default/{ident}/{name}")]
        return found

    def lose(self, ident, name="items"):
        del self.store.blobs[self.blob(ident, name)]

    def cut(self, ident, name="manifest"):
        put(self.store, self.blob(ident, name), self.store.blobs[self.blob(ident, name)][0][:40])

    def spoil(self, ident, name="items"):
        """Other bytes of the same length: no listing shows it."""
        data = self.store.blobs[self.blob(ident, name)][0]
        put(self.store, self.blob(ident, name), data[:-40] + bytes(40))

    def lose_content(self, part):
        [found] = [each for each in self.store.blobs if each.startswith("content/") and part in each]
        del self.store.blobs[found]


class Now:
    """The service's clock."""

    def __init__(self, moment):
        self._moment = at(moment)

    def now(self):
        return self._moment


@pytest.fixture
def nights():
    return Nights(Now("2026-03-03T05:00"))


@pytest.fixture
def run(nights, on_store):
    return on_store(nights.store)


def doctor(run):
    code, out, _ = run("--json", "doctor")
    rows = [json.loads(line) for line in out.splitlines()]
    return code, [(row["result"], row["message"]) for row in rows if row["check"] == ANN]


def test_doctor_says_from_what_it_can_be_restored(run):
    code, [(result, said)] = doctor(run)
    assert (code, result) == (0, "good")
    assert f"newest complete snapshot is {THIRD}, 5 hours old, and all of it is there" in said


@pytest.mark.parametrize("harm", [Nights.lose, Nights.spoil, lambda nights, ident: nights.cut(ident, "items")])
def test_doctor_is_bad_when_the_catalogue_of_the_newest_is_lost_and_names_the_one_that_is_whole(nights, run, harm):
    harm(nights, THIRD)
    harm(nights, SECOND)
    code, [(result, said), *older] = doctor(run)
    assert (code, result) == (1, "bad")
    # What a listing does not show of an old one is for `verify`.
    assert [each[0] for each in older] == ([] if harm is Nights.spoil else ["warn"])
    assert "items-00000.parquet" in said
    assert f"The newest one that is whole is {FIRST}, 53 hours old: restore from it with --at {FIRST}." in said
    assert f"drive-backup verify {ANN} --at default/{THIRD}" in said


def test_doctor_is_bad_when_content_of_the_newest_is_lost(nights, run):
    nights.lose_content("20260303T000000.000Z-")
    code, [(result, said)] = doctor(run)
    assert (code, result) == (1, "bad")
    assert "1 of 2 items with content cannot be restored from it (Reports/a.txt), all others can." in said
    assert f"that is whole is {SECOND}" in said
    # Unchanged files share a blob: this one is in no snapshot any more.
    nights.lose_content("Budget")
    said = doctor(run)[1][0][1]
    assert f"No complete snapshot is whole, and this is the newest: restore from it with --at {THIRD}." in said


def test_doctor_names_what_to_restore_from_when_nothing_is_whole(nights, run):
    nights.lose(THIRD)
    nights.lose_content("Budget")
    said = doctor(run)[1][0][1]
    assert f"No complete snapshot is whole. The newest one with its catalogue is {SECOND}, 29 hours old: 1 of 2" in said
    assert f"all others can. Restore from it with --at {SECOND}." in said
    assert "Use another snapshot" not in said
    nights.lose(SECOND)
    nights.lose(FIRST)
    assert "The catalogue of no complete snapshot can be read." in doctor(run)[1][0][1]


def test_doctor_heeds_what_only_reading_has_shown(nights, run):
    [name] = [each for each in nights.store.blobs if "Budget" in each]
    _, info = nights.store.blobs[name]
    nights.store.blobs[name] = (b"mus", info)
    assert run("verify", ANN, "--read", "all", "--record")[0] == 1
    code, [(result, said)] = doctor(run)
    assert (code, result, "Budget 2026 final.xlsx" in said) == (1, "bad", True)


@pytest.mark.parametrize("harm", [Nights.cut, Nights.lose])
def test_doctor_tells_of_an_old_snapshot_beside_the_age_of_the_newest(nights, run, harm):
    harm(nights, FIRST)
    code, [newest, old] = doctor(run)
    assert (code, newest[0], old[0]) == (0, "good", "warn")
    assert f"{THIRD}, 5 hours old" in newest[1]
    assert f"1 older snapshot cannot be read. {FIRST}: " in old[1]


def test_doctor_is_bad_when_the_newest_manifest_cannot_be_read(nights, run):
    nights.cut(THIRD)
    code, [(result, said)] = doctor(run)
    assert (code, result) == (1, "bad")
    assert f"{THIRD}: " in said
    assert f"newest complete snapshot is {SECOND}, 29 hours old, and all of it is there" in said
    nights.cut(SECOND)
    nights.cut(FIRST)
    assert "No complete snapshot can be read" in doctor(run)[1][0][1]


def test_doctor_tells_of_newer_snapshots_that_are_not_complete(nights, run):
    nights.backup.clock.set(at("2026-03-04T00:10"))
    nights.backup.drive.write("a", b"a4", "2026-03-04T00:00:00.000Z")
    nights.backup.drive.errors["a"] = [ItemLaterError("Not now.", reason="downloadQuotaExceeded")] * 9
    assert asyncio.run(nights.backup.run("2026-03-04"))["status"] == "partial"
    code, [(result, said)] = doctor(run)
    assert (code, result, f"{THIRD}, 5 hours old" in said) == (0, "good", True)
    assert "the last is 20260304T000000.000Z" in said


@pytest.mark.parametrize(
    ("moment", "words"), [("2026-03-06T00:00", "has not succeeded"), ("2026-03-02T00:00", "clock")]
)
def test_doctor_is_bad_when_the_newest_is_old_or_of_a_time_to_come(nights, run, moment, words):
    nights.store.clock = Now(moment)
    code, [(result, said)] = doctor(run)
    assert (code, result, words in said) == (1, "bad", True)


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
    assert shown == "2026-03-04 10:00:00.417Z"
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
