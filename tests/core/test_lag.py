"""Drive lists new items late, while its change feed names them: a complete snapshot lacks none that the feed named."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from include.drive_backup import increment, lag, listing
from include.drive_backup.drive.corpus import Corpus, belonging
from include.drive_backup.errors import FeedLostError, ServiceUnavailableError
from include.drive_backup.handover import Missed, Origin
from include.drive_backup.increment import listing_prefix
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Item, Source
from include.drive_backup.report import readable
from include.drive_backup.work import read_parts
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import ROOT, file, folder

ANN = "user/ann@example.com"
TREE = (
    folder("A", file("a.txt", b"a", id="a"), folder("B", file("b.txt", b"b", id="b"), id="B"), id="A"),
    file("c.txt", b"c", id="c"),
)
LATE = file("late.txt", b"late", id="late")


class Nights:
    """Nights of one Drive whose listings lag by ten minutes; its clock is that of the backup."""

    def __init__(self, drive: FakeDrive | None = None) -> None:
        self.backup = Backup(drive or FakeDrive(*TREE))
        self.drive = self.backup.drive
        self.drive.lag = timedelta(minutes=10)
        self.minutes = 0
        self.wait(0)

    def wait(self, minutes: int) -> None:
        self.minutes += minutes
        self.drive.now = at("2026-03-01T00:10") + timedelta(minutes=self.minutes)
        self.backup.clock.set(self.drive.now)

    async def night(self, **options: Any) -> tuple[dict[str, Any], Origin]:
        """A run as of now."""
        instant = self.drive.now.strftime("%Y-%m-%dT%H:%M")
        summary = await self.backup.run(instant, **options)
        found = Manifest.from_json(await self.backup.store.read(summary["manifest"])).listed
        assert found is not None
        return summary, found

    async def proven(self) -> None:
        await self.night()
        self.wait(24 * 60)
        await self.night()
        self.wait(24 * 60 - 5)


async def test_what_drive_lists_late_is_missing_from_one_snapshot_of_a_first_run_and_no_other():
    world = Nights()
    world.drive.add(LATE)
    world.wait(5)
    summary, origin = await world.night()
    assert "late" not in await world.backup.rows(summary)
    assert origin.unproven == origin.started
    assert "what came up in Drive shortly before" in readable([], [summary])
    world.wait(24 * 60)
    summary, origin = await world.night()
    assert "late" in await world.backup.rows(summary)
    assert (origin.kind, origin.why, origin.unproven) == ("full", "unproven", None)
    assert "shortly before" not in readable([], [summary])
    world.wait(24 * 60)
    assert (await world.night())[1].kind == "changes"


async def test_a_second_run_right_after_the_first_proves_nothing():
    """It may lack what the first one lacked, and the feed since the first does not name it."""
    world = Nights()
    world.drive.add(LATE)
    for _ in range(2):
        world.wait(4)
        summary, origin = await world.night()
        assert "late" not in await world.backup.rows(summary)
        assert origin.unproven is not None
    world.wait(24 * 60)
    summary, origin = await world.night()
    assert "late" in await world.backup.rows(summary)
    assert origin.unproven is None


async def test_a_run_each_hour_gets_to_a_proven_listing():
    world = Nights()
    kinds = []
    for _ in range(5):
        kinds.append((await world.night())[1].kind)
        world.wait(60)
    assert kinds == ["full", "full", "full", "changes", "changes"]


async def drive_changed(world: Nights, monkeypatch: Any) -> None:
    changes = world.drive.changes

    async def changed(source, token):
        async for page in changes(source, token):
            yield msgspec.structs.replace(page, corpus_changed=True)

    monkeypatch.setattr(world.drive, "changes", changed)


async def folder_gone(world: Nights, monkeypatch: Any) -> None:
    for ident in ("a", "B", "b"):
        del world.drive.items[ident]
    world.drive.delete("A")


async def folder_closed(world: Nights, monkeypatch: Any) -> None:
    world.drive.change("B", capabilities={"canListChildren": False})


async def many_changes(world: Nights, monkeypatch: Any) -> None:
    monkeypatch.setattr(increment, "_MOST_CHANGES", 0)


async def many_looks(world: Nights, monkeypatch: Any) -> None:
    monkeypatch.setattr(increment, "_MOST_LOOKS", 0)
    world.drive.add(folder("new", id="N"))


async def corrupt(world: Nights, monkeypatch: Any) -> None:
    await world.backup.store.delete([name for name in world.backup.store.blobs if name.startswith("work/")])


async def feed_behind(world: Nights, monkeypatch: Any) -> None:
    del world.drive.items["refused"]


async def new_version(world: Nights, monkeypatch: Any) -> None:
    monkeypatch.setattr(listing, "__version__", "another")


async def nothing(world: Nights, monkeypatch: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("why", "happens", "options"),
    [
        ("asked", nothing, {"mode": "full"}),
        ("due", nothing, {"full_listing_days": 0}),
        ("details", nothing, {"save": ("comments",)}),
        ("newVersion", new_version, {}),
        ("driveChanged", drive_changed, {}),
        ("folderGone", folder_gone, {}),
        ("folderClosed", folder_closed, {}),
        ("manyChanges", many_changes, {}),
        ("manyLooks", many_looks, {}),
        ("blobMissing", corrupt, {}),
        ("feedBehind", feed_behind, {}),
    ],
)
async def test_whatever_the_reason_of_a_full_listing_it_lacks_nothing_that_the_feed_names(
    why, happens, options, monkeypatch
):
    refused = file("refused", b"no", id="refused", capabilities={"canDownload": False})
    world = Nights(FakeDrive(*TREE, refused))
    await world.proven()
    world.drive.add(LATE)
    world.drive.write("c", b"written late", "2026-03-02T23:00:00.000Z")
    world.wait(5)
    await happens(world, monkeypatch)
    summary, origin = await world.night(**options)
    assert (origin.kind, origin.why, summary["status"]) == ("full", why, "complete")
    restored = await world.backup.restored(summary)
    assert (restored["late"], restored["c"]) == (b"late", b"written late")
    assert origin.unproven is None
    assert origin.missed is not None
    assert (origin.missed.unlisted, origin.missed.outdated, origin.missed.unknown) == (
        1 + (why == "manyLooks"), 1 + (why == "folderClosed"), None
    )  # fmt: skip
    world.wait(24 * 60)
    if why != "newVersion":
        monkeypatch.undo()
    summary, origin = await world.night(full_listing_days=99)
    assert origin.kind == "changes"
    assert (await world.backup.restored(summary))["c"] == b"written late"


async def test_a_feed_that_cannot_be_read_leaves_the_listing_unproven(monkeypatch):
    world = Nights()
    await world.proven()
    world.drive.add(LATE)
    world.wait(5)
    world.drive.feed.clear()
    _, origin = await world.night()
    assert (origin.why, origin.missed) == ("feedRefused", Missed(unknown="feedRefused"))
    assert origin.unproven == origin.started
    world.wait(24 * 60)
    summary, origin = await world.night()
    assert (origin.why, origin.unproven) == ("unproven", None)
    assert "late" in await world.backup.rows(summary)


async def test_another_account_leaves_the_listing_unproven(monkeypatch):
    world = Nights()
    await world.proven()

    async def bob() -> str:
        return "bob@example.com"

    monkeypatch.setattr(world.drive, "user_email", bob)
    _, origin = await world.night()
    assert (origin.why, origin.missed, origin.unproven) == ("otherView", None, origin.started)


async def test_what_another_account_is_shown_late_is_in_the_next_night(monkeypatch):
    """The feed of one account says nothing of what the other one lacks, so the first listing cannot be proven."""
    world = Nights()
    await world.proven()
    world.drive.add(LATE)
    world.wait(5)

    async def bob() -> str:
        return "bob@example.com"

    monkeypatch.setattr(world.drive, "user_email", bob)
    summary, origin = await world.night()
    assert (origin.why, summary["status"]) == ("otherView", "complete")
    assert "late" not in await world.backup.rows(summary)
    assert "what came up in Drive shortly before" in readable([], [summary])
    world.wait(24 * 60)
    summary, origin = await world.night()
    assert (origin.kind, origin.unproven) == ("full", None)
    assert (await world.backup.restored(summary))["late"] == b"late"


async def test_a_source_without_a_feed_is_listed_each_night_for_that_reason(monkeypatch):
    async def none(*_):
        raise FeedLostError("Somebody else's folder.", reason="noFeed")
        yield

    world = Nights()
    monkeypatch.setattr(world.drive, "changes", none)
    for why in ("noBase", "noFeed", "noFeed"):
        _, origin = await world.night()
        assert (origin.why, origin.missed, origin.unproven) == (why, None, origin.started)
        world.wait(24 * 60)


async def test_what_the_feed_names_and_cannot_be_asked_for_makes_the_snapshot_partial(monkeypatch):
    async def down(*_):
        raise ServiceUnavailableError("down", service="drive")

    world = Nights()
    await world.proven()
    world.drive.add(LATE)
    world.wait(5)
    await folder_gone(world, monkeypatch)
    monkeypatch.setattr(world.drive, "get_item", down)
    summary, origin = await world.night()
    assert (origin.missed.unsure, origin.missed.entries) == (1, "folderGone")
    assert (summary["status"], summary["listing_complete"]) == ("partial", False)


async def test_a_feed_that_breaks_off_gives_what_it_named_and_the_listing_is_unproven(monkeypatch):
    world = Nights()
    await world.proven()
    for number in range(6):
        world.drive.add(file(f"{number}", b"x", id=f"i{number}"))
    world.wait(5)
    await folder_gone(world, monkeypatch)
    changes = world.drive.changes
    reads = []

    async def breaks(source, token):
        reads.append(token)
        async for page in changes(source, token):
            yield page
            if len(reads) == 3:
                raise FeedLostError("No.", reason="feedUnclear")

    monkeypatch.setattr(world.drive, "changes", breaks)
    summary, origin = await world.night()
    assert {"i0", "i1", "i2"} <= (await world.backup.rows(summary)).keys()
    assert (origin.why, origin.missed.unlisted, origin.missed.unknown) == ("folderGone", 3, "feedUnclear")
    assert origin.unproven is not None


async def test_however_much_the_feed_names_all_of_it_is_looked_for_in_windows(monkeypatch):
    monkeypatch.setattr(lag, "_WINDOW", 20)
    world = Nights()
    await world.proven()
    for number in range(250):
        world.drive.add(file(f"{number}", b"%d" % number, id=f"i{number}"))
    world.wait(5)
    await many_changes(world, monkeypatch)
    summary, origin = await world.night()
    assert (origin.missed.unlisted, summary["status"], summary["items"]) == (250, "complete", 255)


async def test_what_is_in_a_folder_that_is_listed_late_need_have_no_entry(monkeypatch):
    world = Nights()
    await world.proven()
    world.drive.add(folder("moved in", file("old", b"old", id="o"), folder("deep", LATE, id="D"), id="M"))
    for ident in ("o", "D", "late"):
        world.drive.feed.remove(ident)
    world.wait(5)
    await many_changes(world, monkeypatch)
    lists = world.drive.children

    async def all_children(source, ident):
        kept, world.drive.lag = world.drive.lag, timedelta(0)
        async for page in lists(source, ident):
            yield page
        world.drive.lag = kept

    monkeypatch.setattr(world.drive, "children", all_children)
    summary, _ = await world.night()
    assert {"M", "o", "D", "late"} <= (await world.backup.rows(summary)).keys()


class SharedDrive(FakeDrive):
    """Others' folders are in the feed, too, and some are not listed at all."""

    unlisted: frozenset[str] = frozenset()

    async def belonging(self, source, items, decided):
        return belonging(Corpus(kind="user", root_id=ROOT), items, decided)

    async def list_items(self, source):
        async for page in super().list_items(source):
            kept = tuple(item for item in page.items if item.id not in self.unlisted)
            yield msgspec.structs.replace(page, items=kept)


async def test_what_the_feed_names_of_other_peoples_drives_is_neither_added_nor_doubtful(monkeypatch):
    theirs = {"ownedByMe": False}
    world = Nights(SharedDrive(*TREE))
    await world.proven()
    world.drive.unlisted = frozenset({"top", "deep", "x"})
    world.drive.add(folder("top", folder("deep", file("x", b"x", id="x", **theirs), id="deep", **theirs), id="top"))
    world.drive.items["top"] |= {"ownedByMe": False, "parents": []}
    world.drive.add(folder("mine", id="mine"))
    world.drive.add(file("of bob in mine", b"b", id="b-in", parents=["mine"], **theirs))
    world.wait(5)
    world.drive.feed = [ident for ident in world.drive.feed if ident not in ("top", "deep")]
    summary, origin = await world.night()
    assert (origin.why, origin.missed.entries, summary["status"]) == ("unclearParents",) * 2 + ("complete",)
    assert {"mine", "b-in"} <= (await world.backup.rows(summary)).keys()
    assert "x" not in await world.backup.rows(summary)


async def test_a_listing_of_children_that_lags_does_not_undo_what_the_feed_says():
    world = Nights()
    world.drive.marks_children = True
    await world.proven()
    world.drive.change("A", trashed=True)
    world.wait(24 * 60)
    await world.night()
    world.wait(24 * 60 - 5)
    world.drive.change("A", trashed=False)
    world.drive.write("a", b"newest", "2026-03-04T23:00:00.000Z")
    world.wait(5)
    summary, origin = await world.night()
    assert origin.kind == "changes"
    assert (await world.backup.restored(summary))["a"] == b"newest"


class LateNights(RuleBasedStateMachine):
    """People work, time goes by, listings lag, runs come at any time and for any reason list everything."""

    @initialize(marks=st.booleans())
    def begin(self, marks: bool) -> None:
        self.world = Nights()
        self.world.drive.marks_children = marks
        self.number = 0
        self.quick = True

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return self.world.drive.items

    def draw(self, data: Any, *, folders: bool) -> str:
        found = sorted(ident for ident in self.items if ident.isupper() == folders)
        return data.draw(st.sampled_from([ROOT, *found] if folders else found))

    @rule(minutes=st.sampled_from([1, 5, 60, 24 * 60]))
    def wait(self, minutes: int) -> None:
        self.world.wait(minutes)

    @rule(data=st.data(), is_folder=st.booleans())
    def make(self, data: Any, is_folder: bool) -> None:
        self.number += 1
        ident = f"{'N' if is_folder else 'n'}{self.number}"
        entry = folder(ident, id=ident) if is_folder else file(ident, ident.encode(), id=ident)
        self.world.drive.add(entry, parent=self.draw(data, folders=True))

    @precondition(lambda self: any(ident.islower() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["rename", "write", "move", "trash", "back", "delete"]))
    def change_a_file(self, data: Any, what: str) -> None:
        self.change(what, self.draw(data, folders=False), data)

    @precondition(lambda self: any(ident.isupper() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["move", "trash", "back", "delete"]))
    def change_a_folder(self, data: Any, what: str) -> None:
        ident = self.draw(data, folders=True)
        if ident != ROOT:
            self.change(what, ident, data)

    def change(self, what: str, ident: str, data: Any) -> None:
        drive = self.world.drive
        if what == "rename":
            drive.change(ident, name=f"x{self.number}")
        elif what == "move":
            drive.change(ident, parents=[self.draw(data, folders=True)])
        elif what in ("trash", "back"):
            drive.change(ident, trashed=what == "trash")
        elif what == "write":
            self.number += 1
            drive.write(ident, f"{self.number}".encode(), "2026-02-02T08:00:00.000Z")
        else:
            drive.delete(ident)

    @rule(
        mode=st.sampled_from(["incremental"] * 3 + ["full"]),
        days=st.sampled_from([0, 7, 7]),
        broken=st.sampled_from([None, "_MOST_CHANGES", "_MOST_LOOKS"]),
    )
    def night(self, mode: str, days: int, broken: str | None) -> None:
        self.world.wait(1)
        with pytest.MonkeyPatch.context() as patch:
            if broken:
                patch.setattr(increment, broken, 0)
            asyncio.run(self._night(mode, days))

    async def _night(self, mode: str, days: int) -> None:
        world, source = self.world, Source.parse(ANN)
        base = await SnapshotRepository(world.backup.store).last_listing(source)
        named: dict[str, Item] = {}
        async for page in world.drive.changes(source, base.token) if base else nobody():
            named |= {item.id: item for item in page.items}
        instant = world.drive.now.strftime("%Y-%m-%dT%H:%M")
        plan, batches = await world.backup.plan(instant, mode=mode, full_listing_days=days)
        found = await newest(world.backup, plan.listing)
        origin = plan.listing.listed
        if plan.listing.complete:
            for ident, item in named.items():
                assert found[ident].name == item.name
                assert found[ident].md5 == item.md5
                assert found[ident].parents == item.parents
                assert found[ident].resource["version"] == item.resource["version"]
            old = {ident for ident in self.items if self.is_settled(ident)}
            assert old <= found.keys()
            if origin.unproven is None:
                assert found.keys() >= self.items.keys()
        for batch in batches:
            await world.backup.copy(batch)
        await world.backup.commit(plan)

    def is_settled(self, ident: str) -> bool:
        drive = self.world.drive
        return all(drive.now - moment >= drive.lag for moment, _ in drive.before[ident])


async def nobody() -> Any:
    return
    yield


async def newest(backup: Backup, listed: Any) -> dict[str, Item]:
    found: dict[str, Item] = {}
    async for item in read_parts(backup.store, listing_prefix(listed.work), Item, parts=listed.parts):
        if item.id not in found or int(item.version) >= int(found[item.id].version):
            found[item.id] = item
    return found


LateNights.TestCase.settings = settings(max_examples=share_of(60), stateful_step_count=30, deadline=None)
TestLateNights = LateNights.TestCase
