"""Whatever fails, for however long, and whatever people do meanwhile: each night has all the rest."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from include.drive_backup.errors import BrokenBodyError, ItemLaterError, ServiceUnavailableError
from include.drive_backup.manifest.catalogue import read_left
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.nights import DELAY, RETRIES, Night, night
from tests.support.trees import ROOT, file, folder

FIRST = at("2026-03-01")
ERRORS = {
    "quota": ItemLaterError("Too many people.", reason="downloadQuotaExceeded"),
    "cut": BrokenBodyError("It broke off.", reason="cutBody"),
    "down": ServiceUnavailableError("It is too hard.", service="drive", reason="http500"),
    "bug": ValueError("odd"),
}


class Failures(RuleBasedStateMachine):
    """``failing`` are the files that Drive does not give now; ``stored`` and ``failed`` the versions of each so far."""

    @initialize()
    def begin(self) -> None:
        tree = (folder("A", file("a.txt", b"a", id="a"), id="A"), file("b.txt", b"b", id="b"), folder("B", id="B"))
        self.backup = Backup(FakeDrive(*tree))
        self.drive.before_read = self.read
        self.failing: dict[str, str] = {}
        self.stored: set[tuple[str, bytes]] = set()
        self.failed: set[tuple[str, bytes]] = set()
        self.before: set[str] = set()
        self.day = self.number = 0

    @property
    def drive(self) -> FakeDrive:
        return self.backup.drive

    def read(self, ident: str) -> None:
        if ident in self.failing:
            raise ERRORS[self.failing[ident]]

    def draw(self, data: Any, *, folders: bool = False) -> str:
        idents = [ident for ident in self.drive.items if ident.isupper() is folders]
        return data.draw(st.sampled_from(sorted([*idents, ROOT] if folders else idents)))

    @property
    def has_files(self) -> bool:
        return any(ident.islower() for ident in self.drive.items)

    @rule(data=st.data())
    def make(self, data: Any) -> None:
        self.number += 1
        ident = f"n{self.number}"
        self.drive.add(file(ident, ident.encode(), id=ident), parent=self.draw(data, folders=True))

    @precondition(lambda self: self.has_files)
    @rule(data=st.data(), how=st.sampled_from(sorted(ERRORS)))
    def fail(self, data: Any, how: str) -> None:
        self.failing[self.draw(data)] = how

    @precondition(lambda self: self.failing)
    @rule(data=st.data())
    def heal(self, data: Any) -> None:
        del self.failing[data.draw(st.sampled_from(sorted(self.failing)))]

    @precondition(lambda self: self.has_files)
    @rule(data=st.data(), what=st.sampled_from(["rename", "move", "write", "delete"]))
    def edit(self, data: Any, what: str) -> None:
        ident = self.draw(data)
        if what == "rename":
            self.drive.change(ident, name=data.draw(st.sampled_from(["x", "y"])))
        elif what == "move":
            self.drive.change(ident, parents=[self.draw(data, folders=True)])
        elif what == "write":
            self.number += 1
            self.drive.write(ident, b"%d" % self.number, "2026-02-02T08:00:00.000Z")
        else:
            self.drive.delete(ident)
            self.failing.pop(ident, None)

    @rule(runs=st.booleans() | st.just(True))
    def night(self, runs: bool) -> None:
        """:param runs: whether any copy task runs."""
        self.day += 1
        instant = FIRST + timedelta(hours=self.day)
        # What a night reads was there after its instant, so each must come after the one before.
        self.backup.clock.set(instant + timedelta(seconds=10))
        asyncio.run(self._night(f"{instant:%Y-%m-%dT%H:%M}", runs=runs))

    async def _night(self, instant: str, *, runs: bool) -> None:
        versions = set(self.drive.contents.items())
        wanted = {version for version in versions if version not in self.stored}
        refused = {version for version in wanted if version[0] in self.failing} if runs else wanted
        self.drive.reads.clear()
        found = await night(self.backup, instant, runs=runs)
        rows = await self.backup.rows(found.summary)
        self.stored |= versions - refused
        assert rows.keys() == self.drive.items.keys()
        assert {ident for ident, row in rows.items() if row["outcome"] == "failed"} == {ident for ident, _ in refused}
        assert await self.backup.restored(found.summary) == dict(versions - refused)
        assert found.summary["status"] == ("partial" if refused else "complete")
        # These nights are an hour apart, so it takes two hours of them until the first listing counts as proven.
        goes_on = found.listing in (("changes", None), ("full", "unproven"))
        assert goes_on if self.day > 1 else found.listing == ("full", "noBase")
        await self._check_left(found, set(rows))
        if runs:
            self._check_tries(found, refused)

    async def _check_left(self, found: Night, now: set[str]) -> None:
        assert {row["item_id"] async for row in read_left(self.backup.store, found.manifest)} == self.before - now
        self.before = now

    def _check_tries(self, found: Night, refused: set[tuple[str, bytes]]) -> None:
        """Only what fails for the first time, and not for a day, is worth the waits of the task's retries."""
        new = {version for version in refused - self.failed if self.failing[version[0]] != "quota"}
        assert set(found.tries) <= {RETRIES + 1 if new else 1}
        assert sum(wait >= DELAY for wait in self.backup.clock.slept) == (RETRIES if new else 0)
        self.backup.clock.slept.clear()
        assert all(self.drive.reads[ident] == 1 for ident, _ in refused & self.failed)
        # What fails is remembered as long as it is the file's content and does not heal.
        self.failed = refused


Failures.TestCase.settings = settings(max_examples=share_of(60), stateful_step_count=25, deadline=None)
TestFailures = Failures.TestCase
