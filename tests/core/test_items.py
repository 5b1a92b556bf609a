"""What becomes of each kind of item, end to end against the strict local Drive: the truth of the catalogue's rows."""

import json

import pytest

from include.drive_backup.handover import Filters
from include.local_cloud.drive import ANN, BOB, edits
from include.local_cloud.drive.model import NATIVE, Permission
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


async def test_a_folder_is_kept_with_its_colour_its_description_and_what_else_people_gave_it_also_when_empty():
    local = LocalDrive()
    empty = local.folder("Empty")
    empty.fields |= {"folderColorRgb": "#ff0000", "description": "Nothing yet", "properties": {"project": "alpha"}}
    empty.starred = True
    _, rows = await saved(local)
    resource = json.loads(rows["Empty"]["resource"])
    assert rows["Empty"]["outcome"] == "metadata"
    assert (resource["folderColorRgb"], resource["description"]) == ("#ff0000", "Nothing yet")
    assert (resource["properties"], resource["starred"]) == ({"project": "alpha"}, True)


async def test_a_shortcut_is_kept_as_such_and_never_followed():
    local = LocalDrive()
    elsewhere = local.folder("Elsewhere", local.state.users[BOB].root_id, by=BOB)
    local.file("inside.txt", elsewhere.id, by=BOB)
    edits.shortcut(local.state, "to it", local.root, elsewhere.id, by=ANN)
    edits.shortcut(local.state, "to nothing", local.root, "gone", by=ANN)
    summary, rows = await saved(local)
    assert set(rows) == {"to it", "to nothing"}
    assert json.loads(rows["to it"]["resource"])["shortcutDetails"]["targetId"] == elsewhere.id
    assert summary["counts"] == {"metadata": 2}


async def test_a_third_party_shortcut_has_a_row_and_no_content():
    local = LocalDrive()
    edits.create(local.state, "Diagram", local.root, by=ANN, mime_type=NATIVE + "drive-sdk.12345")
    summary, rows = await saved(local)
    assert (rows["Diagram"]["kind"], rows["Diagram"]["outcome"]) == ("shortcut", "metadata")
    assert summary["status"] == "complete"


async def test_an_orphan_is_saved():
    local = LocalDrive()
    local.file("lost.txt", None)
    _, rows = await saved(local)
    assert (rows["lost.txt"]["path"], rows["lost.txt"]["outcome"]) == ("~orphans/lost.txt", "copied")


async def test_an_old_item_with_several_parents_is_one_row_that_names_them_all():
    local = LocalDrive()
    one, two = local.folder("One"), local.folder("Two")
    both = local.file("both.txt", one.id)
    edits.move(local.state, both, [one.id, two.id], by=ANN)
    summary, rows = await saved(local)
    assert summary["items"] == 3
    assert set(rows["both.txt"]["parents"]) == {one.id, two.id}
    assert rows["both.txt"]["path"] in {"One/both.txt", "Two/both.txt"}


async def test_a_client_side_encrypted_file_is_saved_as_the_ciphertext_with_what_decrypts_it():
    local = LocalDrive()
    keys = {"wrappedKey": "a2V5", "kaclsId": "7", "kaclsName": "Keys of example.com", "aes256GcmChunkSize": "default"}
    secret = local.file("plan.pdf", content=b"ciphertext")
    secret.fields["clientEncryptionDetails"] = {"encryptionState": "encrypted", "decryptionMetadata": keys}
    async with backup_of(local) as backup:
        summary = await backup.run()
        row = (await backup.rows(summary))[secret.id]
        assert await backup.restored(summary) == {secret.id: b"ciphertext"}
    assert json.loads(row["resource"])["clientEncryptionDetails"]["decryptionMetadata"] == keys


async def test_how_an_item_is_shared_by_link_is_kept():
    local = LocalDrive()
    linked = local.file("linked.txt")
    linked.resource_key = "0-key"
    edits.share(local.state, linked, Permission("anyoneWithLink", "anyone", "reader"))
    _, rows = await saved(local)
    resource = json.loads(rows["linked.txt"]["resource"])
    assert (resource["shared"], resource["resourceKey"]) == (True, "0-key")
    assert resource["linkShareMetadata"]["securityUpdateEnabled"] is True


async def test_a_file_that_asks_for_its_resource_key_is_saved():
    local = LocalDrive()
    keyed = local.file("keyed.txt", content=b"behind a key")
    keyed.resource_key, keyed.key_required = "0-key", True
    _, rows = await saved(local)
    assert rows["keyed.txt"]["outcome"] == "copied"
