"""The change feed as Drive's stand-in gives it: users' logs with what others share, shared drives, folders."""

from __future__ import annotations

import pytest

from include.drive_backup.increment import listing_prefix
from include.drive_backup.model import Item
from include.drive_backup.work import read_parts
from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.content import BytesContent
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive, backup_of

BOB = "bob@example.com"


async def night(backup: Backup, source: str, day: int, *, kind: str, calls: int | None = None) -> set[str]:
    """A night's listing, which is what a full one gives; the names in it."""
    instant, before = f"2026-03-0{day}", backup.drive.use.calls
    plan, batches = await backup.plan(instant, source)
    for batch in batches:
        await backup.copy(batch)
    assert (await backup.commit(plan))["status"] == "complete"
    origin = plan.listing.listed
    assert origin is not None
    assert origin.kind == kind, origin.why
    found = await items(backup, plan.listing)
    assert calls is None or plan.listing.use.calls - before == calls
    whole, _ = await backup.plan(instant, source, mode="full")
    missed = whole.listing.listed.missed
    assert missed is None or not missed.any, missed
    assert found == await items(backup, whole.listing)
    return {resource["name"] for resource in found.values()}


async def items(backup, listing):
    parts = read_parts(backup.store, listing_prefix(listing.work), Item, parts=listing.parts)
    return {item.id: item.resource async for item in parts}


async def test_a_my_drive_with_what_others_share():
    local = LocalDrive()
    mine, theirs = local.folder("mine"), local.folder("theirs", local.state.users[BOB].root_id, by=BOB)
    gone = local.file("gone")
    local.file("inside", mine.id)
    local.share(theirs, ANN, "writer")
    local.share(mine, BOB, "writer")
    source = f"user/{ANN}"
    async with backup_of(local) as backup:
        await backup.proven(source)
        assert await night(backup, source, 1, kind="changes") == {"mine", "inside", "gone"}
        assert await night(backup, source, 2, kind="changes", calls=1) == {"mine", "inside", "gone"}
        edits.create(local.state, "of bob in mine", mine.id, BytesContent(b"b"), by=BOB)
        edits.create(local.state, "of bob in his", theirs.id, BytesContent(b"b"), by=BOB)
        local.state.remove(gone)
        found = await night(backup, source, 3, kind="changes")
        assert found == {"mine", "inside", "of bob in mine"}
        edits.trash(local.state, mine, by=ANN)
        await night(backup, source, 4, kind="changes")
        edits.trash(local.state, mine, by=ANN, trashed=False)
        assert await night(backup, source, 5, kind="changes") == found


@pytest.mark.parametrize("of_folder", [False, True])
async def test_a_shared_drive_and_a_folder_in_it(of_folder: bool):
    local = LocalDrive()
    team = local.state.add_drive("Team", {ANN: "organizer"})
    top, other = local.folder("top", team.id), local.folder("other", team.id)
    note = local.file("note", other.id)
    source = f"folder/{top.id}" if of_folder else f"drive/{team.id}"
    async with backup_of(local) as backup:
        await backup.proven(source)
        names = await night(backup, source, 1, kind="changes")
        edits.move(local.state, other, [top.id], by=ANN)
        edits.rename(local.state, note, "renamed", by=ANN)
        local.file("new", local.folder("new folder", top.id).id)
        found = await night(backup, source, 2, kind="changes")
        assert found == (names - {"note"}) | {"renamed", "new", "new folder"}
        edits.move(local.state, note, [local.root], by=ANN)
        assert await night(backup, source, 3, kind="changes") == found - {"renamed"}
        edits.share(local.state, local.state.items[team.id], local.state.user_permission(BOB, "reader"))
        await night(backup, source, 4, kind="full")
