"""What was backed up comes back into a folder: bytes, names, times; and nothing is ever written outside of it."""

import os
from datetime import UTC, datetime

import pytest

from include.drive_backup.errors import ConfigError, CorruptStoreError, PermanentError, SnapshotNotFoundError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from tests.support.fake_drive import FakeDrive
from tests.support.trees import file, folder, native, shortcut

ANN = Source.parse("user/ann@example.com")


def drive():
    return FakeDrive(
        folder(
            "Reports",
            file("a.txt", b"first", id="a1"),
            file("a.txt", b"second", id="a2", createdTime="2026-01-02T08:00:00.000Z"),
            folder("2026", file("q1/q2.csv", b"1;2", id="csv"), id="y26"),
            id="reports",
        ),
        folder("Empty"),
        file("..", b"dots", id="dots"),
        native("Plan", content=b"docx bytes", id="plan"),
        shortcut("To a", "a1"),
        file("none.bin", b""),
    )


async def bring_back(backup, root, conflict="copy", which="latest", **selection):
    manifest = await SnapshotRepository(backup.store).find(ANN, which)
    wanted = await select(backup.store, manifest, Selection(**selection))
    results = []
    destination = LocalFolder(root, local_names(wanted.values()), backup.store, conflict)
    counts = await restore(backup.store, manifest, wanted, destination, results.append)
    return counts, results


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


ALL = {
    "Reports/a.txt": b"first",
    "Reports/a (a2).txt": b"second",
    "Reports/2026/q1%2Fq2.csv": b"1;2",
    "%2E%2E": b"dots",
    "Plan.docx": b"docx bytes",
    "none.bin": b"",
}


async def test_everything_comes_back_with_its_name_and_time(backup, tmp_path):
    counts, results = await bring_back(backup, tmp_path / "out")
    assert files(tmp_path / "out") == ALL
    assert (tmp_path / "out" / "Empty").is_dir()
    modified = datetime.fromtimestamp((tmp_path / "out" / "Reports" / "a.txt").stat().st_mtime, UTC)
    assert modified == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert counts == {"restored": 9, "left-out": 1, "bytes": sum(map(len, ALL.values()))}
    [left] = [each for each in results if each.outcome == "left-out"]
    assert left.path == "To a"


async def test_restoring_again_writes_nothing(backup, tmp_path):
    await bring_back(backup, tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    counts, _ = await bring_back(backup, tmp_path)
    assert counts == {"same": 9, "left-out": 1, "bytes": 0}
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"paths": ("/Reports/2026/",)}, {"Reports/2026/q1%2Fq2.csv"}),
        ({"paths": ("*.txt",)}, {"Reports/a.txt", "Reports/a (a2).txt"}),
        ({"ids": ("y26",)}, {"Reports/2026/q1%2Fq2.csv"}),
        ({"ids": ("a2", "plan")}, {"Reports/a (a2).txt", "Plan.docx"}),
    ],
)
async def test_only_what_is_wanted_comes_back(backup, tmp_path, selection, expected):
    await bring_back(backup, tmp_path, **selection)
    assert set(files(tmp_path)) == expected


@pytest.mark.parametrize("selection", [{"ids": ("nobody",)}, {"paths": ("/Nowhere/",)}])
async def test_what_is_not_in_the_snapshot_is_said(backup, tmp_path, selection):
    with pytest.raises(SnapshotNotFoundError, match="drive-backup ls"):
        await bring_back(backup, tmp_path, **selection)


async def test_a_bad_glob_is_said(backup, tmp_path):
    with pytest.raises(ConfigError, match="glob"):
        await bring_back(backup, tmp_path, paths=("!",))


@pytest.mark.parametrize(
    ("conflict", "first", "names"),
    [
        ("copy", b"mine", {"none.bin", "none (2).bin"}),
        ("skip", b"mine", {"none.bin"}),
        ("replace", b"", {"none.bin"}),
    ],
)
async def test_what_is_there_already_is_treated_as_asked(backup, tmp_path, conflict, first, names):
    (tmp_path / "none.bin").write_bytes(b"mine")
    for _ in range(2):
        await bring_back(backup, tmp_path, conflict, paths=("/none.bin",))
    assert set(files(tmp_path)) == names
    assert (tmp_path / "none.bin").read_bytes() == first


async def test_links_in_the_target_lead_nowhere(backup, tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "Reports").symlink_to(outside)
    (root / "none.bin").symlink_to(outside / "none.bin")
    counts, results = await bring_back(backup, root, "replace")
    assert list(outside.iterdir()) == []
    assert counts["failed"] == 6
    assert all(each.message for each in results if each.outcome == "failed")


async def test_names_that_climb_are_refused_whoever_wrote_the_catalogue(backup, tmp_path):
    manifest = await SnapshotRepository(backup.store).find(ANN)
    wanted = await select(backup.store, manifest, Selection())
    names = {key: ("..", *place) for key, place in local_names(wanted.values()).items()}
    counts = await restore(
        backup.store, manifest, wanted, LocalFolder(tmp_path / "root", names, backup.store), lambda _: None
    )
    assert not files(tmp_path)
    assert counts["failed"] == 9


async def test_damaged_content_is_not_written_under_its_name(backup, tmp_path):
    [blob] = [name for name in backup.store.blobs if "/Plan/" in name]
    data, info = backup.store.blobs[blob]
    backup.store.blobs[blob] = (data[:-1] + b"X", info)
    counts, results = await bring_back(backup, tmp_path)
    assert counts["failed"] == 1
    assert set(files(tmp_path)) == set(ALL) - {"Plan.docx"}
    [failed] = [each for each in results if each.outcome == "failed"]
    assert "Plan" in failed.message


async def test_damage_that_blob_does_not_notice_is_noticed_here(backup, tmp_path):
    """Bytes and Content-MD5 were both replaced, so only the catalogue's SHA-256 tells."""
    [blob] = [name for name in backup.store.blobs if "/Plan/" in name]
    backup.store.blobs.pop(blob)
    await backup.store.put(blob, b"DOCX bytes")
    counts, _ = await bring_back(backup, tmp_path)
    assert counts["failed"] == 1
    assert "Plan.docx" not in files(tmp_path)


async def test_what_was_never_saved_is_said(backup, tmp_path):
    backup.drive.change("plan", modifiedTime="2026-02-03T00:00:00.000Z", capabilities={"canDownload": False})
    await backup.run("2026-03-02", formats={"document": ["docx"]})
    counts, results = await bring_back(backup, tmp_path)
    assert counts["not-saved"] == 1
    [missing] = [each for each in results if each.outcome == "not-saved"]
    assert (missing.path, missing.reason) == ("Plan", "cannotDownloadFile")


async def test_a_damaged_catalogue_ends_the_restore(backup, tmp_path):
    [part] = [name for name in backup.store.blobs if name.endswith(".parquet")]
    backup.store.blobs.pop(part)
    with pytest.raises(CorruptStoreError):
        await bring_back(backup, tmp_path)


async def test_a_full_disk_ends_the_restore_and_leaves_no_half_file(backup, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PermanentError, match="No space left"):
        await bring_back(backup, tmp_path)
    assert files(tmp_path) == {}
