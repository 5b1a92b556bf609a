"""Catalogue and manifest edited together: the hashes of the parts are right, and verification finds it all the same."""

import json

import pytest
from msgspec.structs import replace

from include.drive_backup.model import Source
from include.drive_backup.verification.run import choose, verify_source
from tests.core.verification.tamper import edit_manifest, edit_rows
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

ANN = Source.parse("user/ann@example.com")
FIRST = "20260301T000000.000Z"


@pytest.fixture
async def backup():
    drive = FakeDrive(
        folder("Reports", file("a.txt", b"first", id="a"), file("b.txt", b"other", id="b"), id="reports"),
        file("c.txt", b"other", id="c"),
        native("Plan", content=b"docx bytes", id="plan"),
        file("gone.txt", b"gone", id="gone"),
    )
    drive.kept = {("a", "comments"): [{"id": "c1", "content": "well"}]}
    made = Backup(drive)
    await again(made, "2026-02-28")
    drive.delete("gone")
    await again(made, "2026-03-01")
    return made


async def again(backup, instant):
    backup.clock.set(at(f"{instant}T00:10"))
    return await backup.run(instant, formats={"document": ["docx"]}, save=("comments",))


async def verify(backup, depth="listing"):
    return (await verify_source(backup.store, await choose(backup.store, ANN), depth, now=at("2026-03-02"))).damages


async def test_a_sound_backup_with_content_that_items_share_is_sound(backup):
    assert not await verify(backup, "all")


EDITS = {
    "path": "Reports/z.txt",
    "name": "z.txt",
    "kind": "folder",
    "mime_type": "text/html",
    "size": 6,
    "created": at("2020-01-01"),
    "modified": at("2020-01-01"),
    "md5": "0" * 32,
    "sha256": None,
    "parents": ["z"],
    "owner": "eve@example.com",
    "drive_version": "77",
    "head_revision_id": "r77",
    "outcome": "known",
    "fidelity": "place-later",
    "reason": "because",
    "message": "All is well.",
    "trashed": True,
    "resource": "{}",
}


@pytest.mark.parametrize("column", EDITS)
async def test_one_value_of_one_row_that_was_changed_is_found(backup, column):
    def edit(row):
        if row["item_id"] == "a":
            assert row[column] != EDITS[column]
            row[column] = EDITS[column]

    edit_rows(backup.store, edit, ident=FIRST)
    damages = await verify(backup)
    assert {damage.wrong for damage in damages} - {"rows"} == {"digest"}
    assert all(damage.snapshots == (FIRST,) and damage.alarming for damage in damages)


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("details", "value", "[]"),
        ("details", "entries", 7),
        ("details", "item_id", "b"),
        ("details", "detail", "labels"),
        ("left", "state", "moved"),
        ("left", "path", "elsewhere"),
        ("left", "message", "x"),
    ],
)
async def test_one_value_beside_the_catalogue_that_was_changed_is_found(backup, kind, column, value):
    def edit_all(rows):
        assert rows[0][column] != value
        rows[0][column] = value

    edit_rows(backup.store, edit_all, kind=kind, ident=FIRST)
    assert "digest" in {damage.wrong for damage in await verify(backup)}


async def test_a_row_that_was_taken_out_or_put_elsewhere_is_found(backup):
    def edit_all(rows):
        rows.reverse()

    edit_rows(backup.store, edit_all, ident=FIRST)
    assert [damage.wrong for damage in await verify(backup)] == ["digest"]

    def edit_all(rows):
        rows.pop()

    edit_rows(backup.store, edit_all, ident=FIRST, also_digest=True)
    assert [damage.wrong for damage in await verify(backup)] == ["rows"]


@pytest.mark.parametrize("also_digest", [False, True])
async def test_contents_that_were_swapped_between_two_rows_are_found(backup, also_digest):
    def edit_all(rows):
        one, two = (row for row in rows if row["item_id"] in "ab")
        one["contents"], two["contents"] = two["contents"], one["contents"]

    edit_rows(backup.store, edit_all, ident=FIRST, also_digest=also_digest)
    damages = await verify(backup)
    own = [damage for damage in damages if damage.wrong == "other-item"]
    assert {damage.item_id for damage in own} == {"a", "b"}
    assert ({damage.wrong for damage in damages} == {"other-item"}) is also_digest
    for damage in own:
        assert (damage.snapshots, damage.current, damage.alarming, damage.replaced) == ((FIRST,), True, True, None)
        assert "another item" in str(damage)
    # It is damage of the snapshot and not of the blobs: a new one is whole and copies nothing.
    summary = await again(backup, "2026-03-05")
    assert (summary["status"], summary["counts"].get("copied", 0)) == ("complete", 0)
    assert not any(damage.alarming for damage in await verify(backup))


async def test_a_file_may_hold_the_bytes_of_another_only_where_drive_says_that_they_are_its_own(backup):
    """As ``known`` content does, which the fixture has."""

    def edit(row):
        if row["item_id"] == "a":
            [other] = others
            row["contents"] = other
            row["size"], row["sha256"] = other[0]["size"], other[0]["sha256"]

    others = []

    def edit_all(rows):
        others.append(next(row["contents"] for row in rows if row["item_id"] == "b"))

    edit_rows(backup.store, edit_all, ident=FIRST)
    edit_rows(backup.store, edit, ident=FIRST, also_digest=True)
    # That much of a lie only a seal finds.
    assert not await verify(backup)
    edit_rows(backup.store, lambda row: row.update(sha256="0" * 64), ident=FIRST, also_digest=True)
    assert "a" in {damage.item_id for damage in await verify(backup) if damage.wrong == "other-item"}


@pytest.mark.parametrize("key", ["file_id", "format", "sha256", "size"])
@pytest.mark.parametrize("how", ["other", "gone"])
async def test_metadata_are_held_against_the_row_where_there_are_any(backup, key, how):
    [blob] = [name for name in backup.contents() if "/Plan/" in name]
    data, info = backup.store.blobs[blob]
    metadata = {**info.metadata, key: "1"}
    if how == "gone":
        del metadata[key]
    backup.store.blobs[blob] = (data, replace(info, metadata=metadata))
    found = await verify(backup)
    expected = set() if how == "gone" else {"other-item" if key == "file_id" else "metadata"}
    assert {damage.wrong for damage in found} == expected
    # One for each of the two snapshots that say so.
    assert len(found) == 2 * len(expected)


@pytest.mark.parametrize("field", ["sha256", "format"])
async def test_a_content_that_says_something_else_than_its_blob_is_found(backup, field):
    def edit(row):
        if row["item_id"] == "a":
            row["contents"][0][field] = "0" * 64

    edit_rows(backup.store, edit, ident=FIRST, also_digest=True)
    assert [damage.wrong for damage in await verify(backup)] == ["metadata"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "partial"},
        {"listing_complete": False},
        {"counts": {"copied": 5}},
        {"fidelity": {"exact": 4, "head-later": 1}},
        {"bytes": {"unchanged": 1}},
        {"items": 6},
        {"digest": "0" * 64},
    ],
)
async def test_a_manifest_alone_that_was_changed_is_found(backup, change):
    edit_manifest(backup.store, lambda manifest: manifest.update(change), FIRST)
    [damage] = await verify(backup)
    assert damage.wrong == ("digest" if "digest" in change else "rows")
    # Told once; another change is news, also while no reader takes the snapshot.
    await again(backup, "2026-03-05")
    assert not any(damage.alarming for damage in await verify(backup))
    edit_manifest(backup.store, lambda manifest: manifest.update(digest="1" * 64), FIRST)
    assert any(damage.alarming for damage in await verify(backup))


@pytest.mark.parametrize("how", ["a column is gone", "a content without a name", "no Parquet"])
async def test_a_catalogue_that_is_no_catalogue_is_named_and_nothing_breaks(backup, how):
    if how == "a content without a name":

        def edit(row):
            for content in row["contents"]:
                content["blob"] = None

        edit_rows(backup.store, edit, ident=FIRST)
    else:
        edit_rows(backup.store, lambda row: row, ident=FIRST, drop="path" if how == "a column is gone" else "*")
    damages = await verify(backup)
    assert damages
    assert all(damage.snapshots == (FIRST,) for damage in damages)
    assert json.dumps([damage.to_dict() for damage in damages])
