"""docs/story.md through real Airflow: a month of nights, a missed week, a bad day, verification, restore, retention."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from include.demo.airflow import ROOT
from include.demo.world import DAG_ID
from include.drive_backup.model import FOLDER, parse_instant
from include.drive_backup.settings import RETENTION_DAG_ID, VERIFICATION_DAG_ID
from tests.integration.conftest import CONTAINER, STORY_HOUR, STORY_USER, Backups
from tests.support.check_backup import check_contents, read_snapshot

pytestmark = [pytest.mark.story, pytest.mark.timeout(3600)]

JOB = f"{DAG_ID}_story"
RESTORE_DAG_ID = "google_drive_restore"
SOURCE = f"user/{STORY_USER}"
#: Day 30 has just ended.
FIRST = datetime.now(UTC).replace(hour=STORY_HOUR, minute=0, second=0, microsecond=0) - timedelta(days=31)
MISSED = range(14, 21)
BAD_DAY = 28
FILES = 4


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Month:
    """The people, their Drive, and what it held at the end of each day."""

    def __init__(self, backups):
        self.backups = backups
        self.truth = {}
        self.top = self._create("Work", 0, mime_type=FOLDER)
        self.folders = {name: self._create(name, 0, parent=self.top, mime_type=FOLDER) for name in ("Reports", "Notes")}
        self.files = {
            (name, number): self._create(f"{name} {number}.txt", 0, parent=ident, text=f"{name} {number}")
            for name, ident in self.folders.items()
            for number in range(FILES)
        }

    def live_through(self, day):
        """One file a day is rewritten, one renamed, one moved to and fro, every third day a new one is made."""
        name, number = ("Reports", "Notes")[day % 2], day % FILES
        changed = self.files.get((name, number))
        if changed and day != BAD_DAY:
            self._edit("modify", day, changed, text=f"{name} {number} of day {day}")
            self._edit("rename", day, changed, name=f"{name} {number} in day {day}.txt")
        if day % 3 == 0:
            made = self._create(f"new of day {day}.txt", day, parent=self.folders["Notes"], text=f"new of day {day}")
            self._edit("move", day, made, parent=self.top)
        if day == BAD_DAY:
            self._edit("delete", day, self.folders["Reports"])
            for place, number in [key for key in self.files if key[0] == "Reports"]:
                del self.files[place, number]
            for number in range(FILES):
                self._edit("modify", day, self.files["Notes", number], text="encrypted!")
        self.truth[day] = self.backups.tree(self._root())

    def night(self, day):
        """The run for the end of a day, ten minutes later by the container's clock, before anybody works on."""
        self.backups.set_clock(end_of(day) + timedelta(minutes=10))
        run_id = self.backups.trigger(JOB, instant=end_of(day).isoformat())
        assert self.backups.wait(run_id, dag_id=JOB) == "success", self.backups.troubles(run_id, JOB)

    def missed_week(self):
        """``airflow backfill create`` for the nights on which nothing ran."""
        first, last = (end_of(day - 1).isoformat() for day in (MISSED.start, MISSED.stop - 1))
        command = ("backfill", "create", "--dag-id", JOB, "--from-date", first, "--to-date", last)
        self.backups.world.airflow().run(*command)
        runs = [run["dag_run_id"] for run in self.backups.api.runs(JOB) if run["run_type"] == "backfill"]
        assert len(runs) == len(MISSED)
        assert {self.backups.wait(run_id, dag_id=JOB) for run_id in runs} == {"success"}

    def _root(self):
        items = self.backups.admin("items")["items"]
        return next(item["parents"][0] for item in items if item["id"] == self.top)

    def _create(self, name, day, **edit):
        return self.backups.create(name, by=STORY_USER, at=noon_of(day), **edit)["id"]

    def _edit(self, action, day, file, **edit):
        self.backups.admin("edit", {"action": action, "file": file, "by": STORY_USER, "at": noon_of(day), **edit})

    def snapshots(self):
        """Day → the snapshot that a reader would take for it."""
        found = {}
        for name in sorted(self.backups.snapshots(SOURCE), key=lambda name: (name.instant, name.generation)):
            found[(parse_instant(name.instant) - FIRST).days] = name
        return found


def end_of(day):
    return FIRST + timedelta(days=day)


def noon_of(day):
    return (FIRST + timedelta(days=day, hours=-12)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def held(rows):
    """The same tree as the Drive's, of a catalogue."""
    return {f"/{row['path']}": row["contents"][0]["sha256"] if row["contents"] else None for row in rows.values()}


@pytest.fixture(scope="module")
def month(world, first_run):
    backups = Backups(world)
    backups.api.unpause(JOB)
    # The job's own first run finds no such user, and so leaves no snapshot of a day that has not been lived.
    assert backups.wait(backups.first_run_of(JOB), dag_id=JOB) == "failed"
    backups.admin("users", {"email": STORY_USER})
    made = Month(backups)
    try:
        for day in range(1, 31):
            made.live_through(day)
            if day not in MISSED:
                made.night(day)
            if day == MISSED.stop:
                made.missed_week()
    finally:
        backups.set_clock(None)
    return made


def trigger(backups, dag_id, **conf):
    backups.api.unpause(dag_id)
    return backups.trigger(dag_id, **conf)


def succeed(backups, dag_id, **conf):
    run_id = trigger(backups, dag_id, **conf)
    assert backups.wait(run_id, dag_id=dag_id) == "success", backups.troubles(run_id, dag_id)
    return run_id


def test_thirty_nights_are_thirty_snapshots_and_each_punctual_one_is_what_drive_held(month):
    snapshots = month.snapshots()
    assert sorted(snapshots) == list(range(1, 31))
    for day, name in snapshots.items():
        manifest, rows = read_snapshot(month.backups.container, name.manifest)
        assert manifest["status"] == "complete"
        if day in MISSED:
            continue
        assert held(rows) == month.truth[day], day
        assert {row["fidelity"] for row in rows.values()} == {"exact"}
        files = {ident: row for ident, row in rows.items() if row["contents"]}
        assert check_contents(month.backups.container, files) == len(files)


def test_a_night_that_was_missed_says_what_it_is(month):
    for day in MISSED:
        manifest, rows = read_snapshot(month.backups.container, month.snapshots()[day].manifest)
        assert manifest["kind"] == "as-of"
        assert manifest["past"]["told"]
        exact = {ident: row for ident, row in rows.items() if row["fidelity"] == "exact"}
        assert exact
        assert held(exact).items() <= month.truth[day].items()


def test_verify_restore_and_retention_after_the_bad_day(month):
    backups, before = month.backups, BAD_DAY - 1
    run_id = succeed(backups, VERIFICATION_DAG_ID, sources=[SOURCE], read="all", drill_mb=0)
    assert backups.api.xcom(VERIFICATION_DAG_ID, run_id, "report")["checked"] > 0

    place = backups.create("Restored", by=STORY_USER, mime_type=FOLDER)["id"]
    succeed(
        backups,
        RESTORE_DAG_ID,
        source=SOURCE,
        snapshot=end_of(before).isoformat(),
        paths=["/Work/Reports/"],
        to=f"folder/{place}",
        act_as=STORY_USER,
    )
    [top, *_] = sorted(backups.tree(place), key=len)
    restored = {path.removeprefix(top): digest for path, digest in backups.tree(place).items() if path != top}
    assert restored == {
        path: digest for path, digest in month.truth[before].items() if path == "/Work" or "/Reports" in path
    }

    run_id = trigger(backups, RETENTION_DAG_ID, sources=[SOURCE], dry_run=False)
    backups.answer(run_id, "Approve")
    assert backups.wait(run_id, dag_id=RETENTION_DAG_ID) == "success"
    kept = month.snapshots()
    # The last seven days, and the last of each of the weeks before, up to four weeks in all.
    assert set(range(24, 31)) <= set(kept)
    assert len(kept) < 12
    assert len({end_of(day).isocalendar()[:2] for day in kept}) == 4 or len(kept) == 10

    succeed(backups, VERIFICATION_DAG_ID, sources=[SOURCE], read="all", drill_mb=0)


def test_everything_kept_is_restored_by_the_command_line_as_drive_held_it(month, tmp_path):
    cloud = month.backups.world.cloud
    env = {
        **os.environ,
        "AZURE_STORAGE_CONNECTION_STRING": cloud.blob_connection_string,
        "DRIVE_BACKUP_CONTAINER": CONTAINER,
    }
    for day, name in month.snapshots().items():
        target = tmp_path / str(day)
        command = [sys.executable, "-m", "include.drive_backup.cli", "restore", SOURCE, "--at", name.ident]
        done = subprocess.run([*command, "--to", str(target)], env=env, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = {
            f"/{path.relative_to(target)}": hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            for path in target.rglob("*")
        }
        if day not in MISSED:
            assert found == month.truth[day], day
