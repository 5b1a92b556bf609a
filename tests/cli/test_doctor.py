"""What doctor says of a container: from what each source can be restored, and what must be done."""

from __future__ import annotations

import asyncio
import json

import pytest

from include.drive_backup.errors import ItemLaterError
from tests.cli.nights import ANN, FIRST, SECOND, THIRD, Nights, Now
from tests.support.fake_drive import at


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
    assert "1 of 2 items with content cannot be restored from it (/Reports/a.txt), all others can." in said
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
