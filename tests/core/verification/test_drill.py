"""The drill: a sample is restored and compared with Drive."""

import pytest

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.selection import Entry
from include.drive_backup.verification.drill import drill, pick
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

ANN = Source.parse("user/ann@example.com")


@pytest.fixture
async def backup():
    made = Backup(
        FakeDrive(
            folder("A", *(file(f"{n}.txt", f"file {n}".encode(), id=f"n{n}") for n in range(5)), id="A"),
            native("Plan", content=b"docx bytes", id="plan"),
        )
    )
    await made.run("2026-03-01", formats={"document": ["docx"]})
    return made


async def drilled(backup, where, *, drive=True, most_bytes=1_000, most_files=100):
    manifest = await SnapshotRepository(backup.store).find(ANN)
    asked = backup.drive if drive else None
    limits = {"most_bytes": most_bytes, "most_files": most_files}
    return await drill(backup.store, manifest, where, drive=asked, seed="monday", **limits)


async def test_what_is_restored_is_compared_with_drive(backup, tmp_path):
    backup.drive.write("n1", b"changed since", "2026-03-04T00:00:00.000Z")
    backup.drive.delete("n2")
    done = await drilled(backup, tmp_path)
    assert done.counts == {"equal": 3, "changed": 1, "gone": 1, "restored": 1}
    assert done.problems == ()
    assert (done.bytes, done.snapshot) == (5 * 6 + 10, "20260301T000000.000Z")
    assert (tmp_path / "A/3.txt").read_bytes() == b"file 3"


async def test_without_drive_the_catalogue_is_what_counts(backup, tmp_path):
    assert (await drilled(backup, tmp_path, drive=False)).counts == {"restored": 6}


async def test_what_cannot_be_restored_is_named(backup, tmp_path):
    [blob] = [name for name in backup.contents() if "/3.txt/" in name]
    backup.store.blobs[blob] = (b"other!", backup.store.blobs[blob][1])
    done = await drilled(backup, tmp_path)
    assert done.counts == {"equal": 4, "restored": 1, "failed": 1}
    [problem] = done.problems
    assert problem.startswith("/A/3.txt (n3): ")


async def test_the_sample_keeps_its_bounds(backup, tmp_path):
    done = await drilled(backup, tmp_path, most_bytes=13)
    assert sum(done.counts.values()) <= 2
    assert 0 < done.bytes <= 13


def test_another_seed_draws_other_files():
    entries = [Entry(item_id=f"{n}", path=f"{n}", name=f"{n}", kind="file", formats=("original",)) for n in range(100)]
    first, again, other = (pick(entries, seed, 1, 5) for seed in ("a", "a", "b"))
    assert first == again
    assert first.keys() != other.keys()
