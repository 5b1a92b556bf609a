"""One Drive that changes, its backups, and their retention; for tests of what is left."""

from __future__ import annotations

from datetime import timedelta

from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.retention.rules import Keep, Policy
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

ANN = Source(kind="user", id="ann@example.com")
EVERYTHING = Policy(keep=Keep(last=1), brake_percent=100)
FILES = 12


class Killed(BaseException):
    """The worker dies of SIGKILL: nothing of it runs any more."""


class House:
    """One Drive that changes each day, its backups, and their retention."""

    def __init__(self, drive=None):
        files = [file(f"{n}.txt", f"file {n}".encode() * 10, id=f"id{n}") for n in range(FILES)]
        self.drive = drive or FakeDrive(folder("Docs", *files, id="docs"))
        self.backup = Backup(self.drive)
        self.store = self.backup.store
        self.store.clock = self.backup.clock
        self.day = 0
        self.runs = 0

    def tomorrow(self, days=1):
        self.day += days
        self.backup.clock.set(at("2026-03-01T00:10") + timedelta(days=self.day))

    async def back_up(self, *changed, **options):
        """One file a day is new in its bytes."""
        for n in changed:
            moment = self.backup.clock.now() - timedelta(hours=5)
            self.drive.write(f"id{n}", f"file {n} of day {self.day}".encode() * 10, moment.isoformat())
        return await self.backup.run(f"{self.backup.clock.now():%Y-%m-%d}", **options)

    def kill_after(self, requests, when=None):
        """Let the worker die of SIGKILL.

        :param when: of what would be the next request, "before" it or "after" it.
        """
        left = requests

        def fault(phase, operation, name):
            nonlocal left
            left -= when in (None, phase)
            if left < 0:
                raise Killed

        self.store.fault = fault

    def lock(self):
        self.runs += 1
        return SourceLock(self.store, ANN, f"retention/{self.runs}", clock=self.backup.clock)

    async def plan(self, policy=EVERYTHING):
        return await plan_source(self.store, ANN, policy)

    async def apply(self, policy=EVERYTHING, plan=None, **options):
        agreed = plan or await self.plan(policy)
        return await apply_source(self.store, agreed, policy, self.lock(), self.backup.clock, **options)

    async def check(self):
        """Every committed snapshot can be read to its last byte; returns how many there are."""
        repository = SnapshotRepository(self.store)
        names = await repository.names(ANN)
        for name in names:
            manifest = await repository.read(name)
            restored = await self.backup.restored({"manifest": name.manifest})
            assert len(restored) == sum(manifest.counts.get(key, 0) for key in ("copied", "unchanged", "known"))
        return len(names)
