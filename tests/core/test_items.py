"""What becomes of each kind of item, end to end against the strict local Drive: the truth of the catalogue's rows."""

import pytest

from include.drive_backup.model import Filters
from include.local_cloud.drive import edits
from tests.support.local_drive import LocalDrive, backup_of


async def saved(local, **settings):
    """Back up Ann's Drive; the summary, and the rows by name."""
    async with backup_of(local) as backup:
        summary = await backup.run(**settings)
        rows = await backup.rows(summary)
    return summary, {row["name"]: row for row in rows.values()}


def formats(row):
    return {content["format"]: content["mime_type"] for content in row["contents"]}


async def test_documents_are_exported_in_all_formats_that_are_asked_for():
    local = LocalDrive()
    local.native("Letter", "document")
    local.native("Numbers", "spreadsheet")
    wanted = {"document": ("docx", "odt", "rtf", "pdf", "txt", "zip", "epub", "md"), "spreadsheet": ("xlsx", "ods")}
    summary, rows = await saved(local, formats=wanted)
    assert summary["status"] == "complete"
    assert set(formats(rows["Letter"])) == set(wanted["document"])
    assert set(formats(rows["Numbers"])) == set(wanted["spreadsheet"])


@pytest.mark.parametrize(
    ("kind", "asked", "mime_type"),
    [
        ("vid", {}, "video/mp4"),
        ("form", {"form": ("zip",)}, "application/zip"),
        ("site", {"site": ("txt",)}, "text/plain"),
        ("jam", {"jam": ("pdf",)}, "application/pdf"),
    ],
)
async def test_what_only_a_download_operation_converts_is_saved_too(kind, asked, mime_type):
    local = LocalDrive()
    local.native("It", kind)
    _, rows = await saved(local, formats=asked)
    assert rows["It"]["outcome"] == "copied"
    assert list(formats(rows["It"]).values()) == [mime_type]


def trash(local, item):
    edits.trash(local.state, item, by="ann@example.com")
    return item


async def test_the_trash_is_left_out_and_counted():
    local = LocalDrive()
    trash(local, local.file("old.txt"))
    summary, rows = await saved(local)
    assert rows == {}
    assert summary["left_out"] == {"trashed": 1}


async def test_the_trash_is_saved_on_request_apart_from_what_lives():
    local = LocalDrive()
    local.file("a.txt")
    bin_ = local.folder("Bin")
    local.file("b.txt", bin_.id, content=b"thrown away")
    trash(local, bin_)
    summary, rows = await saved(local, trashed=True)
    assert summary["left_out"] == {}
    assert {name: (row["path"], row["trashed"]) for name, row in rows.items()} == {
        "a.txt": ("a.txt", False),
        "Bin": ("~trash/Bin", True),
        "b.txt": ("~trash/Bin/b.txt", True),
    }
    assert rows["b.txt"]["contents"][0]["size"] == len(b"thrown away")


async def test_what_a_filter_leaves_out_is_counted_by_filter_and_is_no_deletion():
    local = LocalDrive()
    private = local.folder("Private")
    local.file("secret.txt", private.id)
    local.file("film.mp4")
    local.file("large.bin", content=b"x" * 2000)
    local.file("a.tmp")
    kept = local.file("kept.txt")
    filters = Filters(exclude_folders=(private.id,), exclude_mime_types=("video/*",), max_size=1000)
    async with backup_of(local) as backup:
        first = await backup.run()
        second = await backup.run("2026-03-02", filters=filters, exclude=("*.tmp",))
        rows = await backup.rows(second)
        assert len(await backup.rows(first)) == 6
    assert set(rows) == {kept.id}
    assert second["status"] == "complete"
    assert second["left_out"] == {
        "filtered": 1,
        "filtered_folder": 2,
        "filtered_mime_type": 1,
        "filtered_size": 1,
    }
