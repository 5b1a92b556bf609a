"""What the snapshot before had and this one has not: each item with what became of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import ServiceUnavailableError
from include.drive_backup.manifest.catalogue import read_left
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.report import readable
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import ROOT, file, folder

ANN = [{"emailAddress": "ann@example.com", "me": True}]
BOB = [{"emailAddress": "bob@example.com"}]
TREE = (
    folder("A", file("a.txt", b"a", id="a"), id="A"),
    file("c.txt", b"ccc", id="c", owners=ANN),
    file("d.txt", b"d", id="d", owners=BOB),
    file("e.txt", b"e", id="e"),
)


#: For what truly became of an item, what may be said of it.
TRUE_WORDS = {
    "trashed": {"trashed"},
    "deleted": {"deleted", "gone"},
    "unshared": {"access_lost", "gone"},
    "binned, unshared": {"trashed", "gone"},
}


async def left(backup: Backup, summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    data = await backup.store.read(summary["manifest"])
    assert data is not None
    return {row["item_id"]: row async for row in read_left(backup.store, Manifest.from_json(data))}


async def second(mode: str = "incremental", **settings: Any) -> tuple[Backup, dict[str, Any]]:
    assert (await Backup(FakeDrive(*TREE)).run())["left"] is None
    backup = Backup(FakeDrive(*TREE))
    await backup.proven()
    backup.drive.change("A", trashed=True)
    backup.drive.delete("c")
    backup.drive.delete("d")
    return backup, await backup.run("2026-03-02", mode=mode, **settings)


@pytest.mark.parametrize("mode", ["incremental", "full"])
async def test_each_item_that_left_says_what_became_of_it(mode: str):
    backup, summary = await second(mode, exclude=("e.txt",))
    rows = await left(backup, summary)
    assert {ident: row["state"] for ident, row in rows.items()} == {
        "A": "trashed",
        "a": "trashed",
        "c": "deleted",
        "d": "deleted",
        "e": "left_out",
    }
    assert (rows["A"]["trashed_with"], rows["a"]["trashed_with"]) == (None, "A")
    assert (rows["c"]["reason"], rows["d"]["reason"]) == ("feedRemoved", "ownerNotFound")
    assert (rows["c"]["path"], rows["c"]["size"], rows["c"]["last_snapshot"]) == ("c.txt", 3, "20260301T000000.000Z")
    assert rows["e"]["reason"] == "filtered"
    assert sum(summary["left"]["counts"].values()) == 5
    text = readable([], [summary])
    assert "left since    20260301T000000.000Z: 2 trashed" in text


async def test_an_incomplete_listing_says_of_nothing_that_it_is_deleted():
    backup = Backup(FakeDrive(*TREE))
    await backup.proven()
    backup.drive.incomplete = True
    backup.drive.delete("c")
    rows = await left(backup, await backup.run("2026-03-02", mode="full"))
    assert {ident: row["state"] for ident, row in rows.items()} == {"c": "not_listed"}


async def test_what_leaves_the_folder_of_a_source_moved():
    backup = Backup(FakeDrive(*TREE))
    await backup.run(source="folder/A")
    backup.drive.change("a", parents=[ROOT])
    rows = await left(backup, await backup.run("2026-03-02", source="folder/A"))
    assert (rows["a"]["state"], rows["a"]["moved_to"]) == ("moved", f"folder/{ROOT}")


async def test_nothing_left_is_an_empty_table():
    backup = Backup(FakeDrive(*TREE))
    await backup.proven()
    summary = await backup.run("2026-03-02")
    assert summary["left"] == {"base": "snapshots/user/ann@example.com/default/20260301T000000.000Z/manifest.json"}


class SilentFeed(FakeDrive):
    """A change feed that says of whatever changed that it is removed, and no more."""

    async def changes(self, source, token):
        async for page in super().changes(source, token):
            gone = tuple(item.id for item in page.items)
            yield msgspec.structs.replace(page, items=(), removed=(*page.removed, *gone))


async def test_what_the_feed_calls_removed_and_is_elsewhere_has_moved():
    backup = Backup(SilentFeed(*TREE))
    await backup.proven()
    backup.drive.change("c", driveId="D", owners=[])
    row = (await left(backup, await backup.run("2026-03-02")))["c"]
    assert (row["state"], row["moved_to"]) == ("moved", "drive/D")


async def test_what_the_feed_calls_removed_and_is_there_stays():
    backup = Backup(SilentFeed(*TREE))
    await backup.proven()
    backup.drive.change("c", starred=True)
    summary = await backup.run("2026-03-02")
    assert "c" in await backup.rows(summary)
    assert "c" not in await left(backup, summary)


async def test_what_cannot_be_asked_is_not_called_deleted(monkeypatch):
    backup = Backup(SilentFeed(*TREE))
    await backup.proven()
    backup.drive.delete("c")

    async def down(*_):
        raise ServiceUnavailableError("down", service="drive")

    monkeypatch.setattr(backup.drive, "get_item", down)
    assert (await left(backup, await backup.run("2026-03-02")))["c"]["state"] == "gone"


@pytest.mark.parametrize("mode", ["incremental", "full"])
async def test_what_its_owner_takes_away_is_told_from_what_is_deleted(mode: str):
    files = {name: file(f"{name}.txt", name.encode(), id=name, owners=BOB) for name in ("kept", "binned", "moved")}
    backup = Backup(FakeDrive(*files.values()))
    await backup.proven()
    backup.drive.unshare("kept")
    backup.drive.unshare("binned", trashed=True)
    backup.drive.unshare("moved", driveId="D", owners=[])
    rows = await left(backup, await backup.run("2026-03-02", mode=mode))
    found = {ident: (row["state"], row["reason"], row["moved_to"]) for ident, row in rows.items()}
    assert found == {
        "kept": ("access_lost", "notShared", None),
        "binned": ("trashed", "ownersTrash", None),
        "moved": ("moved", "otherDrive", "drive/D"),
    }
    assert "bob@example.com" in rows["kept"]["message"]


async def test_an_owner_of_another_company_is_asked_once_and_nothing_is_claimed():
    backup = Backup(FakeDrive(*(file(f"{n}.txt", b"x", id=f"f{n}", owners=BOB) for n in range(3))))
    backup.drive.strangers.add("bob@example.com")
    await backup.proven()
    for number in range(3):
        backup.drive.unshare(f"f{number}")
    rows = await left(backup, await backup.run("2026-03-02"))
    assert {row["state"] for row in rows.values()} == {"gone"}
    assert sum(" as bob" in call for call in backup.drive.calls) == 1


@pytest.mark.parametrize("mode", ["incremental", "full"])
async def test_a_folder_that_closes_hides_what_it_holds(mode: str):
    inner = folder("inner", file("deep.txt", b"d", id="deep"), id="inner")
    backup = Backup(FakeDrive(folder("closed", inner, file("x.txt", b"x", id="x"), id="F"), file("y", b"y", id="y")))
    await backup.proven()
    backup.drive.change("F", capabilities={"canListChildren": False})
    for ident in ("inner", "deep", "x"):
        del backup.drive.items[ident]
    summary = await backup.run("2026-03-02", mode=mode)
    rows = await left(backup, summary)
    assert {ident: (row["state"], row["reason"]) for ident, row in rows.items()} == dict.fromkeys(
        ("inner", "deep", "x"), ("access_lost", "cannotListChildren")
    )
    assert rows["deep"]["trashed_with"] is None
    assert "3 no longer visible to this account" in readable([], [summary])


def there(drive: FakeDrive, ident: str) -> bool:
    """Whether an item is there and in no trash."""
    item = drive.items.get(ident)
    above = [parent for parent in (item or {}).get("parents", ()) if parent != ROOT]
    return item is not None and not item.get("trashed") and all(there(drive, parent) for parent in above)


def truth_of(drive: FakeDrive, ident: str) -> str:
    """What became of an item that is not there any more."""
    if ident in drive.items:
        return "trashed"
    if ident not in drive.unshared:
        return "deleted"
    return "binned, unshared" if drive.unshared[ident].get("trashed") else "unshared"


def act(drive: FakeDrive, what: str, number: int) -> None:
    """Let people do something to an item; the same event on a folder concerns what is in it."""
    live = sorted(ident for ident in drive.items if there(drive, ident))
    ident = live[number % len(live)] if live else None
    if ident is None or what == "add":
        drive.add(file("new", b"new", id=f"new{len(drive.feed)}", owners=[ANN, BOB][number % 2]))
    elif what == "trash":
        drive.change(ident, trashed=True)
    elif what == "rename":
        drive.change(ident, name=f"renamed {number}")
    else:
        inside = [each for each, item in drive.items.items() if ident in item.get("parents", ())]
        for each in (*inside, ident):
            theirs = drive.items[each].get("owners") == BOB
            drive.unshare(each) if what == "unshare" and theirs else drive.delete(each)


@settings(max_examples=share_of(60), deadline=None)
@given(
    nights=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["add", "trash", "rename", "unshare", "delete"]), st.integers(0, 99)), max_size=4
        ),
        min_size=1,
        max_size=4,
    ),
    modes=st.lists(st.sampled_from(["incremental", "full"]), min_size=4, max_size=4),
    closed=st.booleans(),
)
def test_whatever_happens_each_item_that_left_is_told_once_and_truly(nights, modes, closed):
    async def run() -> None:
        inner = [file(f"{n}", bytes([n]), id=f"i{n}", owners=[ANN, BOB][n % 2]) for n in range(4)]
        outer = [file(f"{n}", bytes([n]), id=f"o{n}", owners=[ANN, BOB][n % 2]) for n in range(4)]
        backup = Backup(FakeDrive(folder("F", *inner, id="F", owners=BOB), *outer))
        backup.drive.strangers |= {"bob@example.com"} if closed else set()
        before = await backup.rows(await backup.proven())
        for day, (events, mode) in enumerate(zip(nights, modes, strict=False), 2):
            for what, number in events:
                act(backup.drive, what, number)
            summary = await backup.run(f"2026-03-{day:02}", mode=mode)
            now, told = await backup.rows(summary), await left(backup, summary)
            assert told.keys() == before.keys() - now.keys()
            for ident, row in told.items():
                assert row["state"] in TRUE_WORDS[truth_of(backup.drive, ident)], (ident, row)
            before = now

    asyncio.run(run())
