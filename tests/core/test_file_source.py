"""A single file as a source has what all sources have: versions, exports, the past, and a word when it is gone."""

from __future__ import annotations

import io
import zipfile

import pytest

from include.drive_backup.errors import ConfigError, SourceNotFoundError
from include.drive_backup.model import Source
from include.drive_backup.restore.drive_place import parse_drive_place
from include.drive_backup.selection import parse_entry
from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.content import BytesContent, NativeContent
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive, backup_of
from tests.support.trees import file, folder, native, shortcut


def backup(*entries, **settings):
    return Backup(FakeDrive(*entries), **settings)


async def test_only_that_file_is_saved_under_its_name():
    made = backup(folder("Reports", file("a.txt", b"a", id="a"), file("b.txt", b"b", id="b")))
    summary = await made.run(source="file/a")
    assert (summary["status"], summary["items"]) == ("complete", 1)
    assert {ident: row["path"] for ident, row in (await made.rows(summary)).items()} == {"a": "a.txt"}
    assert await made.restored(summary) == {"a": b"a"}
    assert all(name.startswith("content/file/a/a.txt/") for name in made.contents())


async def test_it_costs_no_listing_and_no_change_feed_and_an_unchanged_one_is_not_read_again():
    made = backup(file("a.txt", b"a", id="a"), *(file(f"{number}.txt", b"x") for number in range(20)))
    await made.run("2026-03-01", "file/a")
    made.clock.set(at("2026-03-02T00:10"))
    summary = await made.run("2026-03-02", "file/a")
    assert (summary["counts"], made.drive.reads["a"]) == ({"unchanged": 1}, 1)
    assert {call for call in made.drive.calls if "get" not in call} == {"root", "list_items"}
    assert "unproven" not in summary


async def test_its_versions_follow_each_other_also_under_another_name():
    made = backup(file("a.txt", b"one", id="a"))
    await made.run("2026-03-01", "file/a")
    made.drive.write("a", b"two", "2026-03-01T12:00:00Z")
    made.drive.change("a", name="b.txt")
    made.clock.set(at("2026-03-02T00:10"))
    second = await made.run("2026-03-02", "file/a")
    assert (await made.restored(second), (await made.rows(second))["a"]["path"]) == ({"a": b"two"}, "b.txt")
    assert len(made.contents()) == 2


async def test_a_late_run_takes_the_version_of_its_instant():
    made = backup(file("a.txt", b"one", id="a"))
    await made.run("2026-03-01", "file/a")
    made.drive.write("a", b"two", "2026-03-05T12:00:00Z")
    made.clock.set(at("2026-03-06T00:10"))
    await made.run("2026-03-06", "file/a")
    summary = await made.run("2026-03-03", "file/a")
    assert (await made.restored(summary), summary["kind"]) == ({"a": b"one"}, "as-of")


async def test_a_file_that_is_gone_or_out_of_reach_is_no_empty_snapshot():
    made = backup(file("a.txt", b"a", id="a"))
    made.drive.delete("a")
    with pytest.raises(SourceNotFoundError):
        await made.run(source="file/a")


async def test_a_file_in_the_trash_is_refused_unless_the_job_saves_the_trash():
    made = backup(file("a.txt", b"a", id="a", trashed=True))
    with pytest.raises(SourceNotFoundError, match=r"The file 'a.txt' .* trash.*trashed: true") as error:
        await made.run(source="file/a")
    assert error.value.reason == "trashed"
    summary = await made.run(source="file/a", trashed=True)
    assert await made.restored(summary) == {"a": b"a"}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (folder("Reports", id="x"), "the folder 'Reports'. Write folder/x"),
        (shortcut("To a", "a", id="x"), "the shortcut 'To a'.*Name what it leads to: file/a"),
        (shortcut("To nothing", "", id="x"), "the shortcut 'To nothing'.*no content"),
    ],
)
async def test_what_is_no_file_is_refused_with_what_to_write(entry, sentence):
    with pytest.raises(SourceNotFoundError, match=sentence):
        await backup(entry).run(source="file/x")


async def test_what_drive_does_not_give_is_a_row_with_its_reason():
    made = backup(native("A form", "form", id="x"))
    summary = await made.run(source="file/x")
    assert {row["outcome"] for row in (await made.rows(summary)).values()} == {"unavailable"}


def test_a_file_is_no_place_to_restore_into_and_no_pattern():
    with pytest.raises(ConfigError, match=r"--to-drive: nothing can be restored into a single file"):
        parse_drive_place("file/x", "--to-drive")
    with pytest.raises(ConfigError, match=r"shared with a user"):
        parse_drive_place("shared/ann@example.com", "to")
    assert parse_drive_place("folder/x", "to") == Source(kind="folder", id="x")
    with pytest.raises(ConfigError, match="a single file instead"):
        parse_entry("file/*")
    assert parse_entry("file/x") == Source(kind="file", id="x")


# Against the stand-in: the real client, and what each call costs.


async def test_a_list_of_files_costs_one_call_each_and_the_downloads():
    local = LocalDrive()
    wanted = [local.file(f"{number}.txt", content=b"%d" % number) for number in range(10)]
    for number in range(50):
        local.file(f"other {number}.txt")
    async with backup_of(local) as made:
        for day in ("2026-03-01", "2026-03-02"):
            made.clock.set(at(f"{day}T00:10"))
            for each in wanted:
                summary = await made.run(day, f"file/{each.id}")
                assert summary["status"] == "complete"
    # One a night, and one download.
    assert dict(local.server.service.stats.calls) == {"files.get": 2 * len(wanted), "files.get.media": len(wanted)}


async def test_a_file_that_another_user_shared_and_one_of_a_shared_drive():
    local = LocalDrive()
    bobs = local.file("bob's.txt", local.state.users["bob@example.com"].root_id, by="bob@example.com", content=b"bob")
    hidden = local.file("hidden.txt", local.state.users["bob@example.com"].root_id, by="bob@example.com")
    local.share(bobs, ANN)
    team = local.state.add_drive("Team", {ANN: "reader", "bob@example.com": "organizer"})
    inside = local.file("team.txt", team.id, by="bob@example.com", content=b"team")
    async with backup_of(local) as made:
        for item, content in ((bobs, b"bob"), (inside, b"team")):
            assert await made.restored(await made.run(source=f"file/{item.id}")) == {item.id: content}
        with pytest.raises(SourceNotFoundError, match=r"does not exist, or the account .* cannot see it"):
            await made.run(source=f"file/{hidden.id}")
        with pytest.raises(SourceNotFoundError, match=rf"or this file alone: file/{bobs.id}"):
            await made.run(source=f"folder/{bobs.id}")


async def test_a_document_is_exported_and_an_earlier_one_comes_from_its_revisions():
    local = LocalDrive()
    letter = local.native("Letter", "document", text="first words")
    kept = local.file("kept.txt", content=b"kept 1")
    kept.revisions[0].keep = True
    when = int(at("2026-02-05T08:00").timestamp() * 1000)
    local.state.clock.freeze(when)
    edits.write(local.state, letter, NativeContent("second words", 0), by=ANN, at=when)
    edits.write(local.state, kept, BytesContent(b"kept 2"), by=ANN, at=when)
    async with backup_of(local) as made:
        assert await made.restored(await made.run("2026-02-03", f"file/{kept.id}")) == {kept.id: b"kept 1"}
        then = await made.restored(await made.run("2026-02-03", f"file/{letter.id}"))
        now = await made.restored(await made.run("2026-03-01", f"file/{letter.id}"))
    assert [words(found[letter.id]) for found in (then, now)] == ["first words", "second words"]


def words(document):
    with zipfile.ZipFile(io.BytesIO(document)) as opened:
        text = opened.read("word/document.xml").decode()
    return next(each for each in ("first words", "second words") if each in text)
