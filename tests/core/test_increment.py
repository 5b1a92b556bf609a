"""A listing made of the one before and the change feed is what Drive's whole listing would have been."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from include.drive_backup.handover import Origin
from include.drive_backup.increment import listing_prefix
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Item, Source
from include.drive_backup.work import read_parts
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import ROOT, file, folder

ANN = "user/ann@example.com"
TREE = (
    folder("A", file("a.txt", b"a", id="a"), folder("B", file("b.txt", b"b", id="b"), id="B"), id="A"),
    file("c.txt", b"c", id="c"),
)


async def first_run() -> Backup:
    backup = Backup(FakeDrive(*TREE))
    await backup.proven()
    backup.drive.calls.clear()
    return backup


async def listed(backup: Backup, summary: dict[str, Any]) -> Origin:
    data = await backup.store.read(summary["manifest"])
    assert data is not None
    found = Manifest.from_json(data).listed
    assert found is not None
    return found


async def test_an_unchanged_drive_is_not_listed_again():
    backup = await first_run()
    summary = await backup.run("2026-03-02")
    assert backup.drive.calls == ["root", "changes"]
    assert summary["counts"] == {"unchanged": 3, "metadata": 2}
    how = await listed(backup, summary)
    assert (how.kind, how.changes, how.why) == ("changes", 0, None)


async def test_changes_add_up_over_nights():
    backup = await first_run()
    backup.drive.write("a", b"new", "2026-03-01T12:00:00.000Z")
    await backup.run("2026-03-02")
    backup.drive.change("A", name="renamed")
    backup.drive.delete("c")
    summary = await backup.run("2026-03-03")
    rows = await backup.rows(summary)
    assert {row["path"] for row in rows.values()} == {"renamed", "renamed/a.txt", "renamed/B", "renamed/B/b.txt"}
    assert (await backup.restored(summary))["a"] == b"new"
    assert "list_items" not in backup.drive.calls
    assert backup.drive.reads["a"] == 2
    assert (await listed(backup, summary)).left == {"removed": 1}


async def test_a_folder_fetched_back_from_the_trash_brings_what_is_in_it():
    backup = await first_run()
    backup.drive.marks_children = True
    backup.drive.change("A", trashed=True)
    assert len(await backup.rows(await backup.run("2026-03-02"))) == 1
    backup.drive.change("A", trashed=False)
    assert len(await backup.rows(await backup.run("2026-03-03"))) == 5
    assert "list_items" not in backup.drive.calls


async def test_a_folder_that_comes_into_sight_brings_what_is_in_it():
    backup = await first_run()
    backup.drive.add(
        folder("new", file("in it", b"n", id="n"), folder("deep", file("d", b"d", id="d"), id="D"), id="N")
    )
    backup.drive.feed.remove("n")
    backup.drive.feed.remove("D")
    backup.drive.feed.remove("d")
    rows = await backup.rows(await backup.run("2026-03-02"))
    assert {"N", "n", "D", "d"} <= rows.keys()


async def test_a_folder_that_may_be_opened_now_brings_what_is_in_it():
    backup = Backup(FakeDrive(folder("shut", id="S", capabilities={"canListChildren": False})))
    await backup.proven()
    backup.drive.items["S"]["capabilities"] = {"canListChildren": True}
    backup.drive.items["x"] = {**backup.drive.items["S"], "id": "x", "name": "x", "parents": ["S"]}
    assert set(await backup.rows(await backup.run("2026-03-02"))) == {"S", "x"}


async def test_a_right_to_download_that_was_given_higher_up_is_noticed():
    backup = Backup(FakeDrive(file("kept.pdf", b"kept", id="k", capabilities={"canDownload": False})))
    assert (await backup.proven())["counts"] == {"unavailable": 1}
    backup.drive.items["k"]["capabilities"] = {"canDownload": True}
    assert (await backup.run("2026-03-02"))["counts"] == {"copied": 1}


@pytest.mark.parametrize(
    ("why", "later"),
    [
        ("asked", {"mode": "full"}),
        ("details", {"save": ("permissions",)}),
        ("due", {"full_listing_days": 0}),
    ],
)
async def test_everything_is_listed_when_the_feed_is_not_enough(why: str, later: dict[str, Any]):
    backup = await first_run()
    how = await listed(backup, await backup.run("2026-03-02", **later))
    assert (how.kind, how.why) == ("full", why)
    assert "list_items" in backup.drive.calls


async def test_everything_is_listed_every_seven_days():
    backup = await first_run()
    for day in range(2, 10):
        await backup.clock.sleep(86_400)
        await backup.run(f"2026-03-0{day}")
    assert backup.drive.calls.count("list_items") == 1


async def test_a_token_that_drive_refuses_means_a_full_listing():
    backup = await first_run()
    backup.drive.feed.clear()
    summary = await backup.run("2026-03-02")
    assert (await listed(backup, summary)).why == "feedRefused"
    assert summary["items"] == 5


async def test_a_work_area_that_was_deleted_means_a_full_listing():
    backup = await first_run()
    await backup.store.delete([name for name in backup.store.blobs if name.startswith("work/")])
    summary = await backup.run("2026-03-02")
    assert (await listed(backup, summary)).kind == "full"
    assert summary["items"] == 5


async def test_a_folder_that_went_without_a_word_of_its_content_means_a_full_listing():
    backup = await first_run()
    for ident in ("a", "B", "b"):
        del backup.drive.items[ident]
    backup.drive.delete("A")
    summary = await backup.run("2026-03-02")
    assert (await listed(backup, summary)).why == "folderGone"
    assert set(await backup.rows(summary)) == {"c"}


async def test_another_account_means_a_full_listing():
    backup = await first_run()

    async def bob() -> str:
        return "bob@example.com"

    backup.drive.user_email = bob  # type: ignore[method-assign]
    assert (await listed(backup, await backup.run("2026-03-02", source="user/ann@example.com"))).why == "otherView"


async def test_a_partial_snapshot_is_no_base():
    backup = Backup(FakeDrive(*TREE))
    backup.drive.incomplete = True
    await backup.run()
    backup.drive.incomplete = False
    assert (await listed(backup, await backup.run("2026-03-02"))).why == "noBase"


class Nights(RuleBasedStateMachine):
    """People work, nights come: each night's listing is what a whole listing would be at that moment."""

    @initialize(marks=st.booleans())
    def begin(self, marks: bool) -> None:
        self.backup = Backup(FakeDrive(*TREE))
        self.backup.drive.marks_children = marks
        self.day = self.number = 0
        asyncio.run(self.backup.proven())

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return self.backup.drive.items

    def draw_file(self, data: Any) -> str:
        return data.draw(st.sampled_from(sorted(ident for ident in self.items if ident.islower())))

    def draw_folder(self, data: Any, *, root: bool = False) -> str:
        folders = sorted(ident for ident in self.items if ident.isupper())
        return data.draw(st.sampled_from([ROOT, *folders] if root else folders))

    @rule(data=st.data(), is_folder=st.booleans())
    def make(self, data: Any, is_folder: bool) -> None:
        self.number += 1
        ident = f"{'N' if is_folder else 'n'}{self.number}"
        entry = folder(ident, id=ident) if is_folder else file(ident, ident.encode(), id=ident)
        self.backup.drive.add(entry, parent=self.draw_folder(data, root=True))

    @precondition(lambda self: any(ident.islower() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["rename", "write", "move", "trash", "back", "delete"]))
    def change_a_file(self, data: Any, what: str) -> None:
        self.change(what, self.draw_file(data), data)

    @precondition(lambda self: any(ident.isupper() for ident in self.items))
    @rule(data=st.data(), what=st.sampled_from(["rename", "move", "trash", "trash", "back", "back", "delete"]))
    def change_a_folder(self, data: Any, what: str) -> None:
        self.change(what, self.draw_folder(data), data)

    def change(self, what: str, ident: str, data: Any) -> None:
        drive = self.backup.drive
        if what == "rename":
            drive.change(ident, name=data.draw(st.sampled_from(["x", "y"])))
        elif what == "move":
            drive.change(ident, parents=[self.draw_folder(data, root=True)])
        elif what in ("trash", "back"):
            drive.change(ident, trashed=what == "trash")
        elif what == "write":
            drive.write(ident, f"{self.day}{ident}".encode(), "2026-02-02T08:00:00.000Z")
        else:
            drive.delete(ident)

    @rule(mode=st.sampled_from(["incremental"] * 5 + ["full"]), killed=st.booleans())
    def night(self, mode: str, killed: bool) -> None:
        self.day += 1
        instant = f"2026-03-01T00:{self.day:02d}"
        asyncio.run(self._night(instant, mode, killed))

    async def _night(self, instant: str, mode: str, killed: bool) -> None:
        plan, batches = await self.backup.plan(instant, mode=mode)
        prefix = listing_prefix(plan.listing.work)
        found = {item.id: item async for item in read_parts(self.backup.store, prefix, Item, parts=plan.listing.parts)}
        fresh = {item.id: item async for page in self.backup.drive.list_items(Source.parse(ANN)) for item in page.items}
        assert found == fresh
        missed = plan.listing.listed.missed
        assert missed is None or not missed.any
        if not killed:
            for batch in batches:
                await self.backup.copy(batch)
            assert (await self.backup.commit(plan))["status"] == "complete"


Nights.TestCase.settings = settings(max_examples=share_of(60), stateful_step_count=30, deadline=None)
TestNights = Nights.TestCase
