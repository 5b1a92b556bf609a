"""What becomes of each kind of item, end to end against the strict local Drive: the truth of the catalogue's rows."""

import pytest

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
