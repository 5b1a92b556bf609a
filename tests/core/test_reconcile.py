"""A full listing is held against what the change feed alone would have given."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from include.drive_backup.errors import FeedLostError, ItemUnavailableError, ServiceUnavailableError
from include.drive_backup.handover import Missed
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.report import readable
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder

TREE = (
    folder("A", file("a.txt", b"a", id="a"), id="A"),
    file("b.txt", b"b", id="b"),
    file("c.txt", b"c", id="c"),
)


class SecretiveDrive(FakeDrive):
    """A change feed that keeps some items to itself, and a listing that lags behind."""

    secret: frozenset[str] = frozenset()
    lagging: frozenset[str] = frozenset()

    async def changes(self, source, token):
        async for page in super().changes(source, token):
            items = tuple(item for item in page.items if item.id not in self.secret)
            removed = tuple(ident for ident in page.removed if ident not in self.secret)
            yield msgspec.structs.replace(page, items=items, removed=removed)

    async def list_items(self, source):
        async for page in super().list_items(source):
            yield msgspec.structs.replace(page, items=tuple(item for item in page.items if item.id not in self.lagging))


@pytest.fixture
async def backup():
    made = Backup(SecretiveDrive(*TREE))
    await made.run()
    return made


async def missed(backup: Backup, summary: dict[str, Any]) -> Missed:
    found = Manifest.from_json(await backup.store.read(summary["manifest"])).listed
    assert found is not None
    assert found.missed is not None
    return found.missed


async def test_a_feed_that_told_all_is_said_to_have_told_all(backup):
    backup.drive.write("a", b"new", "2026-03-01T12:00:00.000Z")
    backup.drive.change("A", name="renamed")
    backup.drive.change("c", trashed=True)
    backup.drive.delete("b")
    summary = await backup.run("2026-03-02", mode="full")
    assert await missed(backup, summary) == Missed()
    assert "told all that this full listing shows" in readable([], [summary])


async def test_what_the_feed_kept_back_is_counted_and_named(backup):
    backup.drive.secret = frozenset({"a", "b", "new"})
    backup.drive.change("a", name="renamed.txt")
    backup.drive.add(file("new.txt", b"new", id="new"))
    backup.drive.delete("b")
    summary = await backup.run("2026-03-02", mode="full")
    found = await missed(backup, summary)
    assert (found.unknown_to_feed, found.different, found.unlisted, found.stale) == (1, 1, 0, 1)
    assert found.examples == ("new.txt (new)", "renamed.txt (a)", "b")
    assert set(await backup.rows(summary)) == {"A", "a", "c", "new"}
    assert "DIFFERS from this full listing: 1 items of which the feed had not told" in readable([], [summary])


async def test_a_listing_that_lags_behind_loses_nothing(backup):
    backup.drive.add(file("late.txt", b"late", id="late"))
    backup.drive.lagging = frozenset({"late", "c"})
    summary = await backup.run("2026-03-02", mode="full")
    assert (await missed(backup, summary)).unlisted == 2
    restored = await backup.restored(summary)
    assert (restored["late"], restored["c"]) == (b"late", b"c")


async def test_what_changes_while_it_is_listed_is_no_difference(backup):
    drive = backup.drive
    listing = drive.list_items

    async def busy(source):
        async for page in listing(source):
            yield page
        drive.write("a", b"meanwhile", "2026-03-01T12:00:00.000Z")
        drive.add(file("meanwhile.txt", b"m", id="meanwhile"))
        drive.delete("c")

    drive.list_items = busy
    assert await missed(backup, await backup.run("2026-03-02", mode="full")) == Missed()


async def test_a_feed_that_cannot_be_read_is_said_and_fails_nothing(backup, monkeypatch):
    async def lost(*_):
        raise FeedLostError("Invalid page token.", reason="feedRefused")
        yield

    monkeypatch.setattr(backup.drive, "changes", lost)
    summary = await backup.run("2026-03-02", mode="full")
    assert await missed(backup, summary) == Missed(unknown="feedRefused")
    assert summary["status"] == "complete"
    assert "could not be held against this full listing (feedRefused)" in readable([], [summary])


async def test_what_cannot_be_asked_for_makes_the_snapshot_partial(backup, monkeypatch):
    async def down(*_):
        raise ServiceUnavailableError("down", service="drive")

    backup.drive.lagging = frozenset({"b", "c"})
    monkeypatch.setattr(backup.drive, "get_item", down)
    summary = await backup.run("2026-03-02", mode="full")
    found = await missed(backup, summary)
    assert (found.unsure, found.stale, found.unlisted) == (2, 0, 0)
    assert (summary["status"], summary["listing_complete"]) == ("partial", False)


async def test_however_much_lags_all_of_it_is_asked_for():
    backup = Backup(SecretiveDrive(*(file(f"{n}.txt", b"%d" % n, id=f"i{n}") for n in range(250))))
    await backup.run()
    backup.drive.lagging = frozenset(f"i{n}" for n in range(250))
    summary = await backup.run("2026-03-02", mode="full")
    assert ((await missed(backup, summary)).unlisted, summary["status"]) == (250, "complete")


async def test_however_much_is_gone_without_an_entry_the_next_snapshot_is_complete():
    backup = Backup(SecretiveDrive(*(file(f"{n}.txt", b"%d" % n, id=f"i{n}") for n in range(250))))
    await backup.run()
    backup.drive.secret = frozenset(f"i{n}" for n in range(250))
    for n in range(249):
        backup.drive.delete(f"i{n}")
    summary = await backup.run("2026-03-02", mode="full")
    assert ((await missed(backup, summary)).stale, summary["status"]) == (249, "complete")
    again = await backup.run("2026-03-03", mode="full")
    assert await missed(backup, again) == Missed()


async def test_what_this_account_may_not_have_any_more_does_not_stay_in_doubt(backup, monkeypatch):
    async def refused(ident, *_):
        raise ItemUnavailableError("no", reason="insufficientFilePermissions")

    backup.drive.lagging = frozenset({"c"})
    monkeypatch.setattr(backup.drive, "get_item", refused)
    summary = await backup.run("2026-03-02", mode="full")
    assert ((await missed(backup, summary)).stale, summary["status"]) == (1, "complete")


async def test_what_lags_and_is_touched_meanwhile_is_there_and_no_difference(backup):
    drive = backup.drive
    drive.lagging = frozenset({"c"})
    listing = drive.list_items

    async def busy(source):
        async for page in listing(source):
            yield page
        drive.write("c", b"meanwhile", "2026-03-01T12:00:00.000Z")

    drive.list_items = busy
    summary = await backup.run("2026-03-02", mode="full")
    assert await missed(backup, summary) == Missed()
    assert "c" in await backup.rows(summary)


async def test_what_others_share_is_not_held_against_a_feed_that_does_not_count():
    backup = Backup(SecretiveDrive(*TREE))
    for day in ("2026-03-01", "2026-03-02"):
        summary = await backup.run(day, source="shared/ann@example.com", mode="full")
    found = Manifest.from_json(await backup.store.read(summary["manifest"])).listed
    assert found is not None
    assert found.missed is None


async def test_what_lags_and_is_not_what_the_feed_says_is_still_there(backup):
    backup.drive.secret = backup.drive.lagging = frozenset({"c"})
    backup.drive.change("c", name="renamed.txt")
    summary = await backup.run("2026-03-02", mode="full")
    assert (await missed(backup, summary)).unlisted == 1
    assert (await backup.rows(summary))["c"]["path"] == "renamed.txt"


async def test_a_lag_that_cannot_be_resolved_makes_the_snapshot_partial(backup, monkeypatch):
    """The feed is read once for the comparison, and refuses the second look."""
    changes, asked = backup.drive.changes, []

    async def once(source, token):
        asked.append(token)
        if len(asked) > 1:
            raise FeedLostError("Invalid page token.", reason="feedRefused")
        async for page in changes(source, token):
            yield page

    backup.drive.lagging = frozenset({"c"})
    monkeypatch.setattr(backup.drive, "changes", once)
    summary = await backup.run("2026-03-02", mode="full")
    assert (await missed(backup, summary)) == Missed(unknown="feedRefused", unsure=1)
    assert summary["status"] == "partial"
