"""A month in the life of a backup: nightly runs, a missed week, a bad day, verification, restore, retention."""

from datetime import timedelta

import pytest

from include.drive_backup.clock import SystemClock
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

ANN = Source(kind="user", id="ann@example.com")
FIRST = at("2026-03-01")
MISSED = range(14, 21)
BAD_DAY = 28


class Month:
    def __init__(self):
        reports = [file(f"report {n}.txt", f"report {n}".encode(), id=f"r{n}") for n in range(6)]
        notes = [file(f"note {n}.txt", f"note {n}".encode(), id=f"n{n}") for n in range(6)]
        self.drive = FakeDrive(folder("Reports", *reports, id="reports"), folder("Notes", *notes, id="notes"))
        self.backup = Backup(self.drive)
        self.backup.store.clock = self.backup.clock
        #: day → what Drive held at its end, by item
        self.truth = {}

    def live_through(self, day):
        """People work: one file a day is rewritten, one in three days a new one is made, one is renamed."""
        noon = FIRST + timedelta(days=day, hours=-12)
        ident = f"{'rn'[day % 2]}{day % 6}"
        if ident in self.drive.items:
            self.drive.write(ident, f"{ident} of day {day}".encode(), noon.isoformat())
            self.drive.change(ident, name=f"{ident} in day {day}.txt")
        if day % 3 == 0:
            made = noon.isoformat()
            self.drive.add(file(f"new {day}.txt", b"%d" % day, id=f"d{day}", createdTime=made, modifiedTime=made))
        if day == BAD_DAY:
            for gone in ("reports", *(each for each in self.drive.items if each.startswith("r") and each != "reports")):
                self.drive.delete(gone)
            for note in (each for each in self.drive.items if each.startswith("n") and each != "notes"):
                self.drive.write(note, b"encrypted!", noon.isoformat())
        self.truth[day] = dict(self.drive.contents)

    async def night(self, day, since=None):
        """The run for the end of a day, in time or later."""
        self.backup.clock.set(FIRST + timedelta(days=since or day, minutes=10))
        return await self.backup.run(f"{FIRST + timedelta(days=day):%Y-%m-%d}")

    async def snapshots(self):
        """Each snapshot's day, its manifest, and the bytes that a reader gets."""
        repository = SnapshotRepository(self.backup.store)
        for name in await repository.names(ANN):
            manifest = await repository.read(name)
            restored = await self.backup.restored({"manifest": name.manifest})
            yield (at(name.instant[:8]) - FIRST).days, manifest, restored

    async def damages(self):
        store = self.backup.store
        found = await verify_source(store, await choose(store, ANN), "all", now=self.backup.clock.now())
        assert found.read.blobs > 0
        return found.damages


@pytest.fixture
async def month():
    made = Month()
    for day in range(1, 31):
        made.live_through(day)
        if day not in MISSED:
            await made.night(day)
        if day == MISSED.stop:
            for missed in MISSED:
                await made.night(missed, since=day)
    return made


async def test_every_punctual_night_is_what_drive_held_and_a_late_one_says_what_it_could_not_have(month):
    days = []
    async for day, manifest, restored in month.snapshots():
        days.append(day)
        assert manifest.status == "complete"
        rows = await month.backup.rows({"manifest": manifest.name.manifest})
        exact = {ident for ident in restored if rows[ident]["fidelity"] == "exact"}
        assert {ident: restored[ident] for ident in exact} == {
            ident: content for ident, content in month.truth[day].items() if ident in exact
        }
        if day not in MISSED:
            assert exact == set(month.truth[day])
        else:
            assert exact < set(month.truth[day])
    assert days == list(range(1, 31))


async def test_no_content_is_ever_downloaded_twice(month):
    versions = {(ident, content) for truth in month.truth.values() for ident, content in truth.items()}
    assert sum(month.drive.reads.values()) <= len(versions)


async def test_after_the_bad_day_the_folder_of_the_day_before_comes_back(month, tmp_path):
    assert await month.damages() == ()
    store, before = month.backup.store, BAD_DAY - 1
    manifest = await SnapshotRepository(store).find(ANN, f"{FIRST + timedelta(days=before):%Y-%m-%d}")
    wanted = await select(store, manifest, Selection(paths=("/Reports/",)))
    destination = LocalFolder(tmp_path, local_names(wanted.values()), store)
    counts = await restore(store, manifest, wanted, destination, lambda _: None)
    reports = sorted(content for ident, content in month.truth[before].items() if ident.startswith("r"))
    assert sorted(path.read_bytes() for path in tmp_path.glob("Reports/*.txt")) == reports
    assert (counts["restored"], counts["failed"]) == (7, 0)


async def test_retention_keeps_what_it_says_and_all_of_that_can_still_be_restored(month):
    store, policy = month.backup.store, Policy(keep=Keep(daily=7, weekly=4), brake_percent=100)
    month.backup.clock.set(FIRST + timedelta(days=45))
    plan = await plan_source(store, ANN, policy)
    kept = {(at(v.snapshot.instant[:8]) - FIRST).days for v in plan.verdicts if v.kept}
    # The last seven, and the last of each of four weeks: Sundays, and the day on which the month ends. Day 14 was
    # backfilled, so that it does not take the place of the day before, which was saved on time.
    assert kept == {24, 25, 26, 27, 28, 29, 30, 21, 13}
    lock = SourceLock(store, ANN, "retention")
    applied = await apply_source(store, plan, policy, lock, SystemClock(), approved=True)
    assert len(applied.forgotten) == 30 - len(kept)
    assert applied.content.blobs > 0
    assert await month.damages() == ()
    async for day, _, restored in month.snapshots():
        assert day in kept
        if day not in MISSED:
            assert restored == month.truth[day]
