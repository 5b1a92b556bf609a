"""Three nights of one user's backup, and what somebody does to its container afterwards."""

from __future__ import annotations

import asyncio

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
