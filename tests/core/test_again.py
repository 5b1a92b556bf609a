"""What Drive refuses, or whose folder cannot be seen, is asked for again in turns; no night lists all for that."""

from __future__ import annotations

import math

import pytest

from include.drive_backup.again import ROOM, Again, Known
from include.drive_backup.increment import listing_prefix
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import FOLDER, Item
from include.drive_backup.report import readable
from include.drive_backup.work import read_parts
from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.content import BytesContent
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive, backup_of
from tests.support.trees import file, folder

BOB = "bob@example.com"
REFUSED = {"capabilities": {"canDownload": False}}
SHUT = {"capabilities": {"canListChildren": False}}


async def nights(backup: Backup, count: int, first: int = 2):
    """The manifests of some nights, one after the other, each of a listing by changes."""
    for day in range(first, first + count):
        backup.drive.calls.clear()
        summary = await backup.run(f"2026-03-{day:02d}")
        found = Manifest.from_json(await backup.store.read(summary["manifest"])).listed
        assert (found.kind, found.why) == ("changes", None)
        yield summary, found


def asked(backup: Backup) -> set[str]:
    return {call.removeprefix("get ") for call in backup.drive.calls if call.startswith("get ")}


@pytest.mark.parametrize("count", [1, ROOM, ROOM + 1, 3 * ROOM + 7])
async def test_however_much_is_refused_each_of_it_has_its_turn_and_no_night_lists_everything(count):
    backup = Backup(FakeDrive(*(file(f"{n}", id=f"i{n}", **REFUSED) for n in range(count)), page=1000))
    await backup.proven()
    turns, met = math.ceil(count / ROOM), set()
    async for summary, listed in nights(backup, turns):
        tonight = asked(backup)
        assert len(tonight) <= ROOM
        assert not tonight & met
        assert listed.not_asked == count - len(tonight)
        assert ("are asked for again in later runs" in readable([], [summary])) == (turns > 1)
        assert summary["counts"] == {"unavailable": count}
        met |= tonight
    assert len(met) == count


async def test_a_right_that_was_given_higher_up_is_noticed_when_its_turn_comes():
    entries = [file(f"{n}", b"%d" % n, id=f"i{n}", **REFUSED) for n in range(ROOM + 50)]
    backup = Backup(FakeDrive(*entries, page=1000))
    await backup.proven()
    for resource in backup.drive.items.values():
        resource["capabilities"] = {"canDownload": True}
    copied = [summary["counts"].get("copied", 0) async for summary, _ in nights(backup, 2)]
    assert sum(copied) == ROOM + 50
    assert min(copied) > 0


async def test_folders_that_cannot_be_opened_come_first_and_leave_room_for_files():
    files = [file(f"{n}", id=f"i{n}", **REFUSED) for n in range(ROOM)]
    backup = Backup(FakeDrive(*(folder(f"{n}", id=f"F{n}", **SHUT) for n in range(100)), *files, page=1000))
    await backup.proven()
    async for _, _ in nights(backup, 3):
        folders = {ident for ident in asked(backup) if ident.startswith("F")}
        assert (len(folders), len(asked(backup))) == (100, ROOM)
    backup.drive.add(*(folder(f"{n}", id=f"G{n}", **SHUT) for n in range(300)))
    async for _, listed in nights(backup, 1, first=5):
        assert listed.not_asked == 100
    async for _, listed in nights(backup, 2, first=6):
        assert listed.not_asked == 400 + ROOM - len(asked(backup))
        files_asked = {ident for ident in asked(backup) if ident.startswith("i")}
        assert len(asked(backup)) <= ROOM
        assert len(files_asked) >= 50


async def test_a_refused_item_that_is_gone_when_asked_says_that_the_feed_is_behind():
    backup = Backup(FakeDrive(file("a", id="a", **REFUSED)))
    await backup.proven()
    del backup.drive.items["a"]
    summary = await backup.run("2026-03-02")
    assert Manifest.from_json(await backup.store.read(summary["manifest"])).listed.why == "feedBehind"


def test_what_the_feed_tells_of_is_not_asked_for():
    again = Again(subtree=False)
    for ident in ("a", "b"):
        again.note(Known(id=ident, mime_type="x", parents=("root",), can_download=False), {"root"}, set())
    assert again.share({"a"}, 0) == (["b"], 0)


def test_each_has_its_turn_whatever_the_number_of_turns():
    again = Again(subtree=False)
    for number in range(777):
        again.note(Known(id=f"F{number}", mime_type=FOLDER, parents=("r",), can_list_children=False), {"r"}, set())
        again.note(Known(id=f"f{number}", mime_type="x", parents=("r",), can_download=False), {"r"}, set())
    for first in (0, 5, 1_000):
        met = {ident for turn in range(first, first + 16) for ident in again.share((), turn)[0]}
        assert len(met) == 2 * 777


# folders that the backup does not see


async def compared(backup: Backup, source: str, day: int) -> set[str]:
    """The names of what is not in the trash, by a night's changes alone: the same as a full listing gives."""
    instant = f"2026-03-{day:02d}"
    plan, batches = await backup.plan(instant, source)
    for batch in batches:
        await backup.copy(batch)
    assert (await backup.commit(plan))["status"] == "complete"
    assert (plan.listing.listed.kind, plan.listing.listed.why) == ("changes", None)
    whole, _ = await backup.plan(instant, source, mode="full")
    found = [await states(backup, each.listing) for each in (plan, whole)]
    assert found[0] == found[1]
    return {name for name, trashed in found[0].values() if not trashed}


async def states(backup: Backup, listing):
    parts = read_parts(backup.store, listing_prefix(listing.work), Item, parts=listing.parts)
    return {item.id: (item.name, item.trashed) async for item in parts}


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("deep", [True, False])
async def test_a_users_own_file_in_somebody_elses_folder_goes_to_the_trash_and_comes_back_with_it(seen, deep):
    local = LocalDrive()
    theirs = local.folder("theirs", local.state.users[BOB].root_id, by=BOB)
    local.share(theirs, ANN, "writer")
    place = local.folder("within", theirs.id, by=BOB if seen else ANN) if deep else theirs
    edits.create(local.state, "mine", place.id, BytesContent(b"m"), by=ANN)
    local.file("other")
    if not seen:
        edits.unshare(local.state, theirs, local.state.user_permission(ANN, "writer"))
    source = f"user/{ANN}"
    async with backup_of(local) as backup:
        await backup.proven(source)
        names = await compared(backup, source, 2)
        assert "mine" in names
        edits.trash(local.state, theirs, by=BOB)
        assert "mine" not in await compared(backup, source, 3)
        assert "mine" not in await compared(backup, source, 4)
        edits.trash(local.state, theirs, by=BOB, trashed=False)
        assert await compared(backup, source, 5) == names
        assert await compared(backup, source, 6) == names


async def test_a_folder_of_somebody_else_that_comes_into_sight_in_the_trash_has_what_is_ours():
    local = LocalDrive()
    theirs = local.folder("theirs", local.state.users[BOB].root_id, by=BOB)
    local.share(theirs, ANN, "writer")
    edits.create(local.state, "mine", theirs.id, BytesContent(b"m"), by=ANN)
    edits.unshare(local.state, theirs, local.state.user_permission(ANN, "writer"))
    source = f"user/{ANN}"
    async with backup_of(local) as backup:
        await backup.proven(source)
        edits.trash(local.state, theirs, by=BOB)
        local.share(theirs, ANN, "writer")
        assert await compared(backup, source, 2) == set()
        edits.trash(local.state, theirs, by=BOB, trashed=False)
        assert await compared(backup, source, 3) == {"mine"}


async def test_very_many_files_of_an_unseen_folder_come_back_in_turns():
    files = [file(f"{n}", b"x", id=f"i{n}") for n in range(ROOM + 10)]
    backup = Backup(FakeDrive(folder("unseen", *files, id="U", trashed=True), page=1000))
    backup.drive.unseen = {"U"}
    backup.drive.marks_children = True
    assert (await backup.proven())["items"] == 0
    backup.drive.items["U"]["trashed"] = False
    items = [summary["items"] async for summary, _ in nights(backup, 2)]
    assert 0 < items[0] < items[1] == ROOM + 10


async def test_what_is_in_a_seen_folder_in_the_trash_is_not_asked_for_each_night():
    tree = folder("F", *(file(f"{n}", b"x", id=f"i{n}") for n in range(5)), id="F", trashed=True)
    backup = Backup(FakeDrive(tree, file("live", id="live")))
    backup.drive.marks_children = True
    await backup.proven()
    async for _, _ in nights(backup, 1):
        assert asked(backup) == set()
