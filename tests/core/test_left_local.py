"""What became of items that left, as Drive's stand-in tells it: the real client, two users, a shared drive."""

from __future__ import annotations

import pytest

from include.drive_backup.manifest.catalogue import read_left
from include.drive_backup.manifest.manifest import Manifest
from include.local_cloud.drive import ANN, edits
from tests.support.local_drive import LocalDrive, backup_of

BOB = "bob@example.com"


@pytest.mark.parametrize("mode", ["incremental", "full"])
async def test_a_my_drive_tells_what_became_of_each_item(mode: str):
    local = LocalDrive()
    shared, bin_me = local.folder("shared"), local.folder("bin me")
    team = local.state.add_drive("Team", {ANN: "organizer"})
    local.share(shared, BOB, "writer")
    inside = local.file("inside", local.folder("deeper", bin_me.id).id)
    mine, away = local.file("mine"), local.file("away")
    deleted, taken, binned = (local.file(name, shared.id, by=BOB) for name in ("deleted", "taken", "binned"))
    async with backup_of(local) as backup:
        await backup.proven(f"user/{ANN}")
        local.state.remove(mine)
        local.state.remove(deleted)
        edits.move(local.state, taken, [local.state.users[BOB].root_id], by=BOB)
        edits.move(local.state, away, [team.id], by=ANN)
        edits.move(local.state, binned, [local.state.users[BOB].root_id], by=BOB)
        edits.trash(local.state, binned, by=BOB)
        edits.trash(local.state, bin_me, by=ANN)
        summary = await backup.run("2026-03-02", source=f"user/{ANN}", mode=mode)
        manifest = Manifest.from_json(await backup.store.read(summary["manifest"]) or b"")
        rows = {row["name"]: row async for row in read_left(backup.store, manifest)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "mine": "deleted",
        "deleted": "deleted",
        "taken": "access_lost",
        "binned": "trashed",
        "away": "moved",
        "bin me": "trashed",
        "deeper": "trashed",
        "inside": "trashed",
    }
    assert rows["away"]["moved_to"] == f"drive/{team.id}"
    assert (rows["inside"]["trashed_with"], rows["bin me"]["trashed_with"]) == (bin_me.id, None)
    assert inside.id == rows["inside"]["item_id"]


async def test_what_a_shared_drive_loses_is_not_called_deleted():
    local = LocalDrive()
    team = local.state.add_drive("Team", {ANN: "organizer"})
    gone, home = local.file("gone", team.id), local.file("home", team.id)
    async with backup_of(local) as backup:
        await backup.run(source=f"drive/{team.id}")
        local.state.remove(gone)
        edits.move(local.state, home, [local.root], by=ANN)
        summary = await backup.run("2026-03-02", source=f"drive/{team.id}")
        manifest = Manifest.from_json(await backup.store.read(summary["manifest"]) or b"")
        rows = {row["name"]: row async for row in read_left(backup.store, manifest)}
    assert {name: (row["state"], row["moved_to"]) for name, row in rows.items()} == {
        "gone": ("gone", None),
        "home": ("moved", f"user/{ANN}"),
    }
