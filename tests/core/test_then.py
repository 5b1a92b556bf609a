"""Snapshots of days that are over: what was deleted, thrown away, renamed or moved since, in any order of the days."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import FOLDER
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import ROOT, file, folder
from tests.support.verified import assert_sound

FIRST = at("2026-03-01")
LATER = ("head-later", "earlier", "revision", "place-later")


class World:
    """A Drive that people work in, day by day, and its backups: some on time, the others made at the end."""

    def __init__(self, *, times=True):
        self.drive = FakeDrive(
            folder("A", file("a1.txt", b"a1", id="a1"), folder("B", file("b1.txt", b"b1", id="b1"), id="B"), id="A"),
            folder("C", file("c1.txt", b"c1", id="c1"), id="C"),
            file("r1.txt", b"r1", id="r1"),
        )
        self.drive.marks_children = True
        self.store = MemoryBlobStore()
        self.backup = self.backup_into(self.store)
        self.times = times
        self.truth = {}
        #: of each item, its contents and since when it had each
        self.contents = {ident: [(FIRST, content)] for ident, content in self.drive.contents.items()}
        self._number = itertools.count(1)

    def backup_into(self, store):
        backup = Backup(self.drive, store)
        store.clock = backup.clock
        return backup

    # what people do

    def do(self, day, minute, action, which, where):
        moment = FIRST + timedelta(days=day - 1, hours=12, minutes=minute)
        self.drive.now = moment if self.times else None
        ids = sorted(self.drive.items)
        ident, number = (ids[which % len(ids)] if ids else ""), next(self._number)
        folders = [ROOT, *sorted(i for i in ids if self.drive.items[i]["mimeType"] == FOLDER)]
        place = folders[where % len(folders)]
        if action == "add":
            made = moment.isoformat()
            self.drive.add(
                file(f"n{number}", b"new %d" % number, id=f"x{number}", createdTime=made, modifiedTime=made),
                parent=place,
            )
            self.contents[f"x{number}"] = [(moment, b"new %d" % number)]
        elif ident:
            getattr(self, action)(ident, number, place, moment)

    def write(self, ident, number, _, modified):
        if ident in self.drive.contents:
            self.drive.write(ident, b"%s %d" % (ident.encode(), number), modified.isoformat())
            self.contents[ident].append((modified, self.drive.contents[ident]))
            self.drive.past[ident][-1][0]["keepForever"] = number % 2 == 0

    def rename(self, ident, number, *_):
        self.drive.change(ident, name=f"n{number}")

    def move(self, ident, _, place, __):
        if place != ident and ident not in self.above(place):
            self.drive.change(ident, parents=[place])

    def trash(self, ident, *_):
        self.drive.change(ident, trashed=not self.drive.items[ident]["trashed"])

    def delete(self, ident, *_):
        for child in [each for each in self.drive.items if ident in self.drive.items[each]["parents"]]:
            self.delete(child)
        self.drive.delete(ident)

    def above(self, ident):
        found = []
        while ident in self.drive.items:
            ident = self.drive.items[ident]["parents"][0]
            found.append(ident)
        return found

    def look(self):
        """Path and content of each item that is not in the trash."""
        items = self.drive.items
        return {
            ident: (
                "/".join(items[each]["name"] for each in reversed([ident, *self.above(ident)[:-1]])),
                self.drive.contents.get(ident),
            )
            for ident in items
            if not any(items[each]["trashed"] for each in [ident, *self.above(ident)[:-1]])
        }

    # its backups

    async def live(self, days, on_time):
        """Live through some days, each a list of what people do, with a run on time at the end of some of them."""
        for day, actions in enumerate(days, 1):
            for minute, action in enumerate(actions):
                self.do(day, minute, *action)
            self.truth[day] = self.look()
            if day in on_time:
                await self.run(self.backup, day)
        self.last = len(days)

    async def run(self, backup, day, made=None):
        backup.clock.set(FIRST + timedelta(days=made or day, minutes=10))
        return await backup.run(f"{FIRST + timedelta(days=day):%Y-%m-%d}")

    async def backfill(self, order, *, damaged=False):
        """Run some days late, in an order, from what was made on time; rows and summaries by day, and the backup."""
        store = MemoryBlobStore()
        store.blobs = dict(self.store.blobs)
        backup = self.backup_into(store)
        self.drive.reads.clear()
        before = len(backup.contents())
        summaries = {day: await self.run(backup, day, made=self.last + 1) for day in order}
        assert sum(self.drive.reads.values()) == len(backup.contents()) - before
        found = {day: await self.read(backup, summary) for day, summary in summaries.items()}
        again = [await self.run(backup, day, made=self.last + 1) for day in reversed(order)]
        assert not any(summary["created"] for summary in again)
        if not damaged:
            await assert_sound(store)
        return found, summaries

    async def read(self, backup, summary):
        data = await backup.restored(summary)
        return {
            ident: (
                row["path"],
                data.get(ident),
                row["fidelity"],
                "saved" if row["outcome"] in ("copied", "unchanged", "known") else row["outcome"],
            )
            for ident, row in (await backup.rows(summary)).items()
        }

    def check(self, day, rows, summary):
        """Each row is what it says, and nothing is missing without a word."""
        truth = self.truth[day]
        for ident, (path, content, fidelity, _) in rows.items():
            if fidelity == "exact":
                assert truth.get(ident) == (path, content), (day, ident)
            elif fidelity == "place-later" and ident in truth:
                assert truth[ident][1] == content, (day, ident)
            elif content is not None:
                assert self.is_of(ident, content, fidelity, day), (day, ident, fidelity)
        missing = truth.keys() - rows.keys()
        assert not missing & self.look().keys(), (day, missing)
        past = summary["past"] or {}
        assert len(missing) <= sum(past.get("untold", {}).values()) or past.get("before") is None, (day, missing)
        told = Counter({word: summary["fidelity"][word] for word in LATER if word in summary["fidelity"]})
        assert sum((Counter({each["fidelity"]: each["count"]}) for each in past.get("told", ())), Counter()) == told

    def is_of(self, ident, content, fidelity, day):
        """Whether a content is from the time that its row says."""
        instant = FIRST + timedelta(days=day)
        since = next(moment for moment, each in self.contents[ident] if each == content)
        head = content == self.contents[ident][-1][1]
        return {"head-later": head, "revision": since <= instant, "earlier": since <= instant}.get(fidelity, True)


ACTIONS = st.tuples(
    st.sampled_from(["add", "write", "rename", "move", "trash", "delete"]), st.integers(0, 30), st.integers(0, 30)
)
DAYS = st.lists(st.lists(ACTIONS, max_size=4), min_size=3, max_size=6)


@given(days=DAYS, on_time=st.sets(st.integers(1, 6)), times=st.booleans(), data=st.data())
@settings(max_examples=share_of(15), deadline=None)
async def test_any_order_of_late_days_gives_the_same_and_every_row_is_what_it_says(days, on_time, times, data):
    world = World(times=times)
    await world.live(days, on_time)
    late = [day for day in range(1, len(days) + 1) if day not in on_time]
    found, summaries = await world.backfill(late)
    for day in late:
        world.check(day, found[day], summaries[day])
    other, _ = await world.backfill(data.draw(st.permutations(late)))
    assert other == found


MONTH = [
    [
        ("write", day * 5, 0),
        ("add", 0, day),
        *([("rename", day * 3, 0)] if day % 2 else [("move", day * 7, day)]),
        *([("trash", day * 11, 0)] if day % 5 == 0 else []),
        *([("delete", day * 13, 0)] if day % 7 == 0 else []),
    ]
    for day in range(1, 31)
]


@pytest.mark.parametrize("on_time", [(1,), (1, 12, 13, 29)])
async def test_a_month_that_is_backfilled_at_its_end(on_time):
    world = World()
    await world.live(MONTH, on_time)
    late = [day for day in range(1, 31) if day not in on_time]
    found, summaries = await world.backfill(late)
    for day in late:
        world.check(day, found[day], summaries[day])
    assert sum(len(rows) for rows in found.values()) > 29 * 10
    exact = sum(summary["fidelity"].get("exact", 0) for summary in summaries.values())
    assert exact > 100
    other, _ = await world.backfill(late[::-1])
    assert other == found


async def lived(*actions, on_time=(1,), **settings):
    """Two quiet days, then what people do on the third, then two quiet ones; backups on time of some days."""
    world = World(**settings)
    await world.live([[], [], list(actions), [], []], on_time)
    return world


def which(world, ident):
    return sorted(world.drive.items).index(ident)


async def test_what_was_deleted_since_comes_from_the_snapshot_before_and_says_so():
    world = World()
    gone = [("delete", which(world, "C"), 0)]
    await world.live([[], [], gone, [], []], {1})
    found, summaries = await world.backfill([2, 4])
    assert found[2]["c1"] == ("C/c1.txt", b"c1", "earlier", "saved")
    assert found[2]["C"][2:] == ("earlier", "metadata")
    assert not found[4].keys() & {"C", "c1"}
    assert found[2]["a1"][2] == found[4]["a1"][2] == "exact"
    (told,) = summaries[2]["past"]["told"]
    assert (told["count"], told["examples"]) == (2, ["/C/", "/C/c1.txt"])
    assert not world.drive.reads


async def test_between_two_snapshots_that_agree_everything_is_exact_whatever_happened_since():
    world = World()
    later = [("delete", which(world, "C"), 0), ("rename", which(world, "A"), 0), ("write", which(world, "r1"), 0)]
    await world.live([[], [], [], later, []], {1, 3})
    found, _ = await world.backfill([2])
    assert found[2] == {
        ident: (path, content, "exact", "metadata" if content is None else "saved")
        for ident, (path, content) in world.truth[2].items()
    }


async def test_what_lies_in_a_folder_that_was_renamed_since_has_a_later_place():
    world = World()
    await world.live([[], [], [("rename", which(world, "A"), 0)], []], {1})
    found, summaries = await world.backfill([2, 3])
    assert {ident: row[2] for ident, row in found[2].items() if row[2] != "exact"} == dict.fromkeys(
        ("A", "a1", "B", "b1"), "place-later"
    )
    assert {row[2] for row in found[3].values()} == {"exact"}
    assert summaries[2]["past"]["told"][0]["message"].startswith("It, or a folder above it, changed after")


async def test_what_was_thrown_away_since_was_there():
    world = World()
    await world.live([[], [], [("trash", which(world, "A"), 0)], []], {1})
    found, _ = await world.backfill([2, 3])
    assert {"A", "a1", "B", "b1"} <= found[2].keys()
    assert found[2]["a1"] == ("A/a1.txt", b"a1", "place-later", "saved")
    assert not {"A", "a1", "B", "b1"} & found[3].keys()


async def test_with_no_snapshot_before_nothing_is_called_exact_and_the_snapshot_says_that_deletions_are_unknown():
    world = World()
    await world.live([[], [("delete", which(world, "C"), 0)], []], ())
    found, summaries = await world.backfill([1])
    assert {row[2] for row in found[1].values()} == {"place-later"}
    assert summaries[1]["past"].get("before") is None


async def test_what_came_and_went_between_is_counted():
    world = World()
    await world.live([[], [("add", 0, 0)], [("delete", which(world, "r1") + 1, 0)], []], {1})
    found, summaries = await world.backfill([2])
    assert found[2].keys() < world.truth[2].keys()
    assert summaries[2]["past"]["untold"] == {"removed": 1}


async def test_a_damaged_snapshot_before_is_as_good_as_none():
    world = World()
    await world.live([[], [], []], {1})
    for name, (_, info) in world.store.blobs.items():
        if name.endswith("items-00000.parquet"):
            world.store.blobs[name] = (b"damaged", info)
    found, summaries = await world.backfill([2], damaged=True)
    assert summaries[2]["status"] == "complete"
    assert summaries[2]["past"].get("before") is None
    assert {row[2] for row in found[2].values()} == {"exact"}, "the change feed still tells"


async def test_a_stored_version_that_is_gone_is_not_promised():
    world = World()
    await world.live([[], [], [("delete", which(world, "c1"), 0)], []], {1})
    for name in [each for each in world.store.blobs if each.startswith("content/") and "/c1.txt/" in each]:
        del world.store.blobs[name]
    found, summaries = await world.backfill([2], damaged=True)
    assert found[2]["c1"][1:] == (None, "unavailable", "unavailable")
    assert summaries[2]["reasons"]["notStored"]["count"] == 1


async def test_a_run_on_time_asks_nothing_more_and_stays_exact():
    world = World()
    await world.live([[], [], []], {1, 2})
    world.drive.calls.clear()
    summary = await world.run(world.backup, 3)
    assert world.drive.calls == ["root", "changes"]
    manifest = Manifest.from_json(await world.store.read(summary["manifest"]))
    assert (manifest.past, manifest.fidelity) == (None, {"exact": len(world.truth[3])})


async def test_a_late_look_adds_no_guesses_to_what_was_seen_on_time():
    """A feed without times leaves open whether it was thrown away before the instant; who was there knows."""
    backup = Backup(FakeDrive(folder("A", file("a.txt", b"a", id="a"), id="A"), file("b.txt", b"b", id="b")))
    await backup.run("2026-03-01")
    backup.drive.change("A", trashed=True)
    backup.clock.set(at("2026-03-02T00:10"))
    on_time = await backup.run("2026-03-02")
    assert set(await backup.rows(on_time)) == {"b"}
    backup.clock.set(at("2026-03-02T12:00"))
    late = await backup.run("2026-03-02")
    assert (late["created"], late["manifest"]) == (False, on_time["manifest"])
