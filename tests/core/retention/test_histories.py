"""After any history of edits, runs, kills and retentions, what is left comes back exactly."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, format_instant
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.orders import RestoreResult
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.retention.holds import hold
from include.drive_backup.retention.rules import Keep, Policy
from tests.core.retention.house import ANN, FILES, House, Killed
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive
from tests.support.trees import ROOT, file, folder, native, shortcut
from tests.support.verified import assert_sound


@settings(max_examples=share_of(60), deadline=None)
@given(data=st.data())
async def test_killed_anywhere_every_snapshot_that_is_left_is_whole(data):
    """SIGKILL before or after any request; then the next retention finishes the work."""
    house = House()
    await house.back_up()
    for day in range(1, 4):
        house.tomorrow()
        await house.back_up(day)
    house.tomorrow(10)
    left = data.draw(st.integers(0, 60), label="requests until the kill")
    phase_of_death = data.draw(st.sampled_from(["before", "after"]))

    plan = await house.plan()
    house.kill_after(left, phase_of_death)
    with suppress(Killed):
        await house.apply(plan=plan, approved=True)
    house.store.fault = None
    await house.check()
    house.tomorrow()
    await house.apply(approved=True)
    assert await house.check() == 1
    assert len(house.backup.contents()) == FILES
    assert len([name for name in house.store.blobs if name.startswith("snapshots/")]) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("back up"), st.lists(st.integers(0, FILES - 1), max_size=3)),
        st.tuples(st.just("back up, killed"), st.integers(0, 40)),
        st.tuples(st.just("retention"), st.integers(1, 3)),
        st.tuples(st.just("retention, killed"), st.integers(0, 60)),
        st.tuples(st.just("days"), st.sampled_from([0.5, 1, 8])),
        st.tuples(st.just("hold"), st.integers(0, 5)),
    ),
    max_size=14,
)


@settings(max_examples=share_of(60), deadline=None)
@given(steps=STEPS)
async def test_after_any_history_every_snapshot_is_whole(steps):
    house, held = House(), set()
    await house.back_up()

    for step, value in steps:
        names = await SnapshotRepository(house.store).names(ANN)
        if step == "days":
            house.tomorrow(value)
        elif step == "hold":
            name = names[value % len(names)]
            held.add(name.ident)
            await hold(house.store, name, "case")
        else:
            if "killed" in step:
                house.kill_after(value)
            with suppress(Killed):
                if step.startswith("back up"):
                    await house.back_up(*(value if isinstance(value, list) else [value % FILES]))
                else:
                    keep = value if isinstance(value, int) and value <= 3 else 1
                    await house.apply(Policy(keep=Keep(last=keep)), approved=True)
            house.store.fault = None
            # What a killed one holds, it holds for ten minutes.
            house.tomorrow(0.01)
        await house.check()
    await assert_sound(house.store)
    left = {name.ident for name in await SnapshotRepository(house.store).names(ANN)}
    assert held <= left
    assert await SnapshotRepository(house.store).latest(Series(source=ANN), format_instant(house.backup.clock.now()))


#: After how many requests to Blob the worker dies, if it does.
KILL = st.none() | st.integers(0, 60)

#: What a Drive holds, as a person sees it: of each item its name, its folder's id, its kind, and its bytes.
Picture = dict[str, tuple[str, str, str, bytes | None]]


def picture(drive: FakeDrive) -> Picture:
    """The items that are in no trash, made of what the Drive itself knows, and of nothing that a backup says."""

    def visible(ident: str) -> bool:
        resource = drive.items.get(ident)
        if ident == ROOT:
            return True
        return resource is not None and not resource["trashed"] and visible(resource["parents"][0])

    return {
        ident: (
            resource["name"],
            resource["parents"][0],
            resource["mimeType"].rpartition(".")[2],
            drive.contents.get(ident),
        )
        for ident, resource in drive.items.items()
        if visible(ident)
    }


class Years(RuleBasedStateMachine):
    """People work, runs come, are killed and tried again, and retention deletes."""

    @initialize(marks=st.booleans())
    def begin(self, marks: bool) -> None:
        below = folder("A", file("a.txt", b"a", id="a"), folder("B", file("b.txt", b"b", id="b"), id="B"), id="A")
        self.house = House(FakeDrive(below, native("c", content=b"c", id="c"), shortcut("s", "a", id="s")))
        self.house.drive.marks_children = marks
        self.pictures: dict[str, Picture] = {}
        self.held: set[str] = set()
        self.number = 0
        self.instant: str | None = None
        self.back_up(again=False, mode="incremental", kill=None)

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return self.house.drive.items

    def later(self, **much: float) -> None:
        clock = self.house.backup.clock
        clock.set(clock.now() + timedelta(**much))

    def changed(self) -> str:
        """Something changes now; the next run has an instant of its own."""
        self.instant = None
        self.later(minutes=1)
        self.number += 1
        # Drive's change feed tells when.
        self.house.drive.now = self.house.backup.clock.now()
        return self.house.drive.now.isoformat()

    def pick(self, data: Any, *, folders: bool) -> str:
        return data.draw(st.sampled_from(sorted(ident for ident in self.items if ident.isupper() == folders)))

    def place(self, data: Any) -> str:
        return data.draw(st.sampled_from([ROOT, *sorted(ident for ident in self.items if ident.isupper())]))

    def below(self, ident: str) -> set[str]:
        inside = {each for each, resource in self.items.items() if resource["parents"] == [ident]}
        return {ident}.union(*(self.below(each) for each in inside))

    @rule(
        data=st.data(),
        kind=st.sampled_from(["file", "folder", "native", "shortcut"]),
        name=st.sampled_from("xy"),
    )
    def make(self, data: Any, kind: str, name: str) -> None:
        self.changed()
        ident, content = f"n{self.number}", f"{kind} {self.number}".encode()
        entry = {
            "file": lambda: file(f"{name}.txt", content, id=ident),
            "folder": lambda: folder(name, id=ident.upper()),
            "native": lambda: native(name, content=content, id=ident),
            "shortcut": lambda: shortcut(name, "a", id=ident),
        }[kind]()
        self.house.drive.add(entry, parent=self.place(data))

    @precondition(lambda self: any(ident.islower() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["write", "write", "rename", "move", "trash", "back", "delete"]))
    def change_a_file(self, data: Any, what: str) -> None:
        self.change(what, self.pick(data, folders=False), data)

    @precondition(lambda self: any(ident.isupper() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["rename", "move", "trash", "back", "delete"]))
    def change_a_folder(self, data: Any, what: str) -> None:
        self.change(what, self.pick(data, folders=True), data)

    def change(self, what: str, ident: str, data: Any) -> None:
        drive, now = self.house.drive, self.changed()
        if what == "write" and ident in drive.contents:
            drive.write(ident, f"{ident} {self.number}".encode() * self.number, now)
        elif what == "rename":
            drive.change(ident, name=data.draw(st.sampled_from(["x", "y", "x.txt"])))
        elif what == "move" and (to := self.place(data)) not in self.below(ident):
            drive.change(ident, parents=[to])
        elif what in ("trash", "back"):
            drive.change(ident, trashed=what == "trash")
        elif what == "delete":
            for each in self.below(ident):
                drive.delete(each)

    @rule(days=st.sampled_from([0.5, 1, 8]))
    def days_pass(self, days: float) -> None:
        self.later(days=days)

    @rule(again=st.booleans(), mode=st.sampled_from(["incremental"] * 4 + ["full"]), kill=KILL)
    def back_up(self, again: bool, mode: str, kill: int | None) -> None:
        """A run of a new instant, or another try of the last one when nothing has changed since."""
        if self.instant is None or not again:
            self.later(minutes=1)
            self.instant = f"{self.house.backup.clock.now():%Y-%m-%dT%H:%M}"
        run = self.house.backup.run(self.instant, formats={"document": ["docx"]}, mode=mode)
        self.until_killed(run, kill)

    @rule(keep=st.integers(1, 3), kill=KILL)
    def retain(self, keep: int, kill: int | None) -> None:
        self.until_killed(self.house.apply(Policy(keep=Keep(last=keep)), approved=True), kill)

    @precondition(lambda self: self.pictures)
    @rule(data=st.data())
    def hold_one(self, data: Any) -> None:
        names = asyncio.run(SnapshotRepository(self.house.store).names(ANN))
        name = data.draw(st.sampled_from(names))
        asyncio.run(hold(self.house.store, name, "case"))
        self.held.add(name.ident)

    def until_killed(self, work: Any, requests: int | None) -> None:
        if requests is not None:
            self.house.kill_after(requests)
        try:
            asyncio.run(work)
        except* Killed:
            pass
        self.house.store.fault = None
        # What a killed one holds, it holds for ten minutes.
        self.later(minutes=15)
        for name in asyncio.run(SnapshotRepository(self.house.store).names(ANN)):
            # Nothing changes during a step, so what is new in it shows the Drive as it is.
            self.pictures.setdefault(name.ident, picture(self.house.drive))

    def teardown(self) -> None:
        asyncio.run(assert_sound(self.house.store))
        names = asyncio.run(SnapshotRepository(self.house.store).names(ANN))
        assert names
        assert self.held <= {name.ident for name in names}
        for name in names:
            with tempfile.TemporaryDirectory() as root:
                results = asyncio.run(bring_back(self.house, name.manifest, Path(root)))
                compare(results, self.pictures[name.ident], Path(root))


async def bring_back(house: House, manifest_name: str, root: Path) -> list[RestoreResult]:
    data = await house.store.read(manifest_name)
    assert data is not None
    manifest = Manifest.from_json(data)
    assert manifest.status == "complete"
    wanted = await select(house.store, manifest, Selection())
    results: list[RestoreResult] = []
    destination = LocalFolder(root, local_names(wanted.values()), house.store)
    await restore(house.store, manifest, wanted, destination, results.append)
    return results


def compare(results: list[RestoreResult], expected: Picture, root: Path) -> None:
    """All that was restored is what the Drive was: folders, names, kinds, bytes; and there is nothing else."""
    assert sorted(each.item_id for each in results) == sorted(expected)
    assert {each.outcome for each in results} <= {"restored", "left-out"}
    places = {each.item_id: Path(each.target) for each in results if each.outcome == "restored"}
    assert set(root.rglob("*")) == set(places.values())
    assert places.keys() == {ident for ident, (_, _, kind, _) in expected.items() if kind != "shortcut"}
    for ident, place in places.items():
        name, parent, kind, content = expected[ident]
        assert place.parent == (root if parent == ROOT else places[parent])
        whole = f"{name}.docx" if kind == "document" else name
        stem, dot, extension = whole.rpartition(".") if kind != "folder" else ("", "", "")
        # Of two of one name in Drive the second one carries its id, also where the export's extension tells them apart.
        beside = f"{stem} ({ident}){dot}{extension}" if dot else f"{whole} ({ident})"
        of_one_name = [each for each, (its, folder, *_) in expected.items() if (its, folder) == (name, parent)]
        assert place.name == whole or (
            place.name == beside and ((place.parent / whole).exists() or len(of_one_name) > 1)
        )
        assert place.is_dir() if kind == "folder" else place.read_bytes() == content


Years.TestCase.settings = settings(max_examples=share_of(40), stateful_step_count=25, deadline=None)
TestYears = Years.TestCase
