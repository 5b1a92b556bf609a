"""A month of changes that nobody backed up, and then ``airflow backfill create`` over its thirty days."""

from datetime import UTC, datetime, timedelta

import pytest

from include.demo.world import DAG_ID
from include.drive_backup.model import format_instant
from tests.integration.conftest import PAST_USER, STORY_HOUR, Backups
from tests.support.check_backup import check_contents, read_snapshot

pytestmark = [pytest.mark.story, pytest.mark.timeout(3600)]

JOB = f"{DAG_ID}_past_month"
SOURCE = f"user/{PAST_USER}"
DAYS = 30
#: Day 30 ended before the day whose run unpausing the job starts.
FIRST = datetime.now(UTC).replace(hour=STORY_HOUR, minute=0, second=0, microsecond=0) - timedelta(days=DAYS + 2)


def end_of(day):
    return FIRST + timedelta(days=day)


def at(day):
    return (end_of(day) - timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Month:
    """A document and a file that change, a file that stays, one made and one thrown away, each on its day."""

    def __init__(self, backups):
        self.backups = backups
        self.still = self.create("still.txt", 0, text="never changes")
        self.plan = self.create("Plan", 0, mime_type="application/vnd.google-apps.document", text="day 0")
        self.notes = self.create("notes.txt", 0, text="day 0")
        self.lost = self.create("lost.txt", 0, text="deleted on day 12")
        for day in range(1, DAYS + 1):
            if day % 5 == 0:
                self.edit("modify", day, self.plan, text=f"day {day}")
            if day % 10 == 0:
                self.edit("modify", day, self.notes, text=f"day {day}", keep=day == 10)
        self.made = self.create("made.txt", 20, text="made on day 20")
        self.edit("delete", 12, self.lost)

    def create(self, name, day, **edit):
        return self.backups.create(name, by=PAST_USER, at=at(day), **edit)["id"]

    def edit(self, action, day, file, **edit):
        self.backups.admin("edit", {"action": action, "file": file, "by": PAST_USER, "at": at(day), **edit})


@pytest.fixture(scope="module")
def month(world, first_run):
    backups = Backups(world)
    backups.api.unpause(JOB)
    assert backups.wait(backups.first_run_of(JOB), dag_id=JOB) == "failed"  # there is no such user yet
    backups.admin("users", {"email": PAST_USER})
    made = Month(backups)
    first, last = (end_of(day - 1).isoformat() for day in (1, DAYS))
    days = ("--from-date", first, "--to-date", last)
    # Ten at once are the default, and all but one of them would wait for the source.
    world.airflow().run("backfill", "create", "--dag-id", JOB, *days, "--max-active-runs", "1")
    runs = [run["dag_run_id"] for run in backups.api.runs(JOB) if run["run_type"] == "backfill"]
    assert len(runs) == DAYS
    assert {backups.wait(run_id, timeout=1800, dag_id=JOB) for run_id in runs} == {"success"}
    made.downloads = backups.downloads()
    return made


def rows_of(month):
    """Day → the rows of its snapshot, by item."""
    for name in month.backups.snapshots(SOURCE):
        day = next(day for day in range(1, DAYS + 1) if format_instant(end_of(day)) == name.instant)
        yield day, read_snapshot(month.backups.container, name.manifest)


def text_of(month, row):
    return month.backups.read(row["contents"][0]["blob"]).decode()


def test_thirty_days_give_thirty_snapshots_each_true_about_what_it_has(month):
    days = set()
    for day, (manifest, rows) in rows_of(month):
        days.add(day)
        assert manifest["status"] == "complete"
        files = {ident: row for ident, row in rows.items() if row["contents"]}
        assert check_contents(month.backups.container, files) == len(files)
        # No snapshot was made on time, so nothing proves that a name is still that of then.
        assert rows[month.still]["fidelity"] == "place-later"
        assert text_of(month, rows[month.still]) == "never changes"
        assert (month.made in rows) == (day >= 20)
        # Drive gives every version of a document, and of a file those that were kept forever.
        assert rows[month.plan]["fidelity"] == ("place-later" if day == DAYS else "revision")
        notes = rows[month.notes]
        expected = {"place-later": f"day {DAYS}", "revision": "day 10", "head-later": f"day {DAYS}"}
        assert text_of(month, notes) == expected[notes["fidelity"]]
        assert notes["fidelity"] == ("place-later" if day == DAYS else "revision" if 10 <= day < 20 else "head-later")
        assert manifest["past"]["told"]
    assert days == set(range(1, DAYS + 1))


def test_no_content_is_downloaded_twice(month):
    once = (month.still, month.made, month.lost)
    assert all(month.downloads.get(ident, 0) <= 1 for ident in once)
    # The head, and the one version that was kept.
    assert month.downloads[month.notes] <= 2
