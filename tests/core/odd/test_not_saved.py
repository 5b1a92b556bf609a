"""What the backup does not have is said by every restore, beside what it brings back."""

import asyncio

import pytest
from msgspec.structs import replace

from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.schema import row_of
from include.drive_backup.model import Source
from include.drive_backup.restore.batches import RestoreTask, report, verdict, work_of
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_batches import plan_container_restore, restore_container_batch
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.drive import DriveFolder
from include.drive_backup.restore.drive_target import open_target
from include.drive_backup.restore.orders import shortfall
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select, why_not_saved
from include.drive_backup.verification.drill import drill
from tests.core.restore.test_drive import ANN as LOCAL_ANN
from tests.core.restore.test_drive import opened
from tests.core.restore.test_local import bring_back, files
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder, native

ANN = Source.parse("user/ann@example.com")
CLOSED = {"canListChildren": False}


def drive():
    return FakeDrive(
        folder("Closed", id="closed", capabilities=CLOSED),
        native("Plan", content=b"docx bytes", id="plan"),
        file("a.txt", b"alpha", id="a"),
    )


async def one_format_refused(backup):
    """docx is stored, and then the right to download goes: pdf is refused."""
    await backup.run(formats={"document": ["docx"]})
    backup.drive.change("plan", capabilities={"canDownload": False})
    return await backup.run("2026-03-02", formats={"document": ["docx", "pdf"]})


def by_path(results):
    found = {}
    for each in results:
        found.setdefault(each.path, []).append((each.outcome, each.reason))
    return found


EXPECTED = {
    "Closed": [("restored", None), ("not-saved", "cannotListChildren")],
    "Plan": [("restored", None), ("not-saved", "cannotDownloadFile")],
    "a.txt": [("restored", None)],
}


async def test_a_local_folder(tmp_path):
    backup = Backup(drive())
    await one_format_refused(backup)
    counts, results = await bring_back(backup, tmp_path)
    assert by_path(results) == EXPECTED
    assert counts["not-saved"] == 2
    assert files(tmp_path) == {"Plan.docx": b"docx bytes", "a.txt": b"alpha"}
    assert (tmp_path / "Closed").is_dir()
    assert all(each.message for each in results if each.outcome == "not-saved")


async def test_a_container():
    backup, target = Backup(drive()), MemoryTargetStore()
    summary = await one_format_refused(backup)
    manifest = await SnapshotRepository(backup.store).find(ANN)
    wanted = await select(backup.store, manifest, Selection())
    destination = TargetContainer(target, container_names(wanted.values(), ""), backup.store, (str(ANN), "x"))
    results = []
    await restore(backup.store, manifest, wanted, destination, results.append)
    assert by_path(results) == EXPECTED
    assert summary["status"] == "complete"


async def test_a_container_in_batches():
    backup, target = Backup(drive()), MemoryTargetStore()
    await one_format_refused(backup)
    task = RestoreTask(source=str(ANN), to="container/restored", run="manual")
    plan = await plan_container_restore(backup.store, target, task, work_of("manual", "one"))
    for batch in plan.batches:
        await restore_container_batch(backup.store, target, batch, backup.clock)
    counts, _ = await report(backup.store, plan, "token")
    assert (counts["not-saved"], counts["missing"]) == (2, 0)
    with pytest.raises(SnapshotIncompleteError, match="2 not-saved"):
        verdict(counts, plan.shortfall)


async def test_drive():
    made = LocalDrive()
    made.folder("Closed")
    made.file("a.txt", content=b"alpha")
    async with opened(made) as world:
        store = world.backup.store
        manifest = await SnapshotRepository(store).find(Source.parse(f"user/{LOCAL_ANN}"))
        target = await open_target(world.drive, manifest, Source.parse(f"user/{LOCAL_ANN}"), store.url)
        destination = DriveFolder(world.drive.writer, store, target, world.clock)
        rows = {row["path"]: row_of(row) async for row in read_rows(store, manifest)}
        closed = replace(rows["Closed"], outcome="unavailable", reason="cannotListChildren", message="It is closed.")
        part = replace(rows["a.txt"], outcome="failed", reason="odd", message="Some of it failed.")
        results = [*await destination.restore(closed), *await destination.restore(part)]
    assert by_path(results) == {
        "Closed": [("restored", None), ("not-saved", "cannotListChildren")],
        "a.txt": [("restored", None), ("not-saved", "odd")],
    }


@pytest.mark.parametrize("fields", [{"status": "partial"}, {"listing_complete": False}])
async def test_a_snapshot_that_lacks_something_says_so(fields):
    backup = Backup(drive())
    summary = await backup.run()
    manifest = await read(backup, summary)
    assert shortfall(manifest) is None
    assert "missing" in shortfall(replace(manifest, **fields))


@pytest.mark.parametrize("counts", [{}, {"restored": 3}])
def test_a_restore_of_such_a_snapshot_is_not_complete(counts):
    verdict(counts, None)
    with pytest.raises(SnapshotIncompleteError, match="not all there"):
        verdict(counts, "It is not all there.")


async def test_a_plan_and_a_drill_say_it(tmp_path):
    backup = Backup(drive())
    backup.drive.incomplete = True
    summary = await backup.run(formats={"document": ["docx"]})
    manifest = await read(backup, summary)
    task = RestoreTask(source=str(ANN), to="container/restored", run="manual", snapshot=manifest.name.ident)
    plan = await plan_container_restore(backup.store, MemoryTargetStore(), task, work_of("manual", "one"))
    assert plan.shortfall == shortfall(manifest)
    drilled = await drill(backup.store, manifest, tmp_path, drive=None, seed="x", most_bytes=10**6, most_files=10)
    assert drilled.shortfall == shortfall(manifest)
    assert shortfall(manifest) in str(drilled)


async def test_a_drill_counts_what_is_not_saved_and_calls_nothing_damaged(tmp_path):
    backup = Backup(drive())
    await one_format_refused(backup)
    manifest = await SnapshotRepository(backup.store).find(ANN)
    drilled = await drill(backup.store, manifest, tmp_path, drive=None, seed="x", most_bytes=10**6, most_files=10)
    assert drilled.counts == {"restored": 2, "not-saved": 1}
    assert (drilled.problems, drilled.shortfall) == ((), None)


async def test_the_selection_knows_what_is_not_saved():
    backup = Backup(drive())
    await one_format_refused(backup)
    wanted = await select(backup.store, await SnapshotRepository(backup.store).find(ANN), Selection())
    assert {path for path, entry in wanted.items() if entry.not_saved} == {"Closed", "Plan"}


async def test_a_file_that_failed_in_part_comes_back_in_part(tmp_path):
    backup = Backup(drive())
    backup.drive.errors["plan"].append(RuntimeError("odd"))
    plan, batches = await backup.plan(formats={"document": ["docx", "pdf"]})
    for batch in batches:
        await asyncio.gather(backup.copy(batch, in_flight=1), return_exceptions=True)
    manifest = await read(backup, await backup.commit(plan))
    _, results = await bring_back(backup, tmp_path, which=manifest.name.ident)
    assert by_path(results)["Plan"] == [("restored", None), ("not-saved", "unexpected")]


async def read(backup, summary):
    return Manifest.from_json(await backup.store.read(summary["manifest"]))


@pytest.mark.parametrize(
    ("kind", "outcome", "reason", "stored", "said"),
    [
        ("file", "copied", None, True, None),
        ("file", "unchanged", None, False, "unchanged"),
        ("native", "copied", "tooLarge", True, "tooLarge"),
        ("native", "unavailable", None, True, "unavailable"),
        ("native", "failed", None, True, "failed"),
        ("folder", "metadata", None, False, None),
        ("folder", "unavailable", None, False, "unavailable"),
        ("folder", "failed", None, False, "failed"),
        ("shortcut", "metadata", None, False, None),
        ("shortcut", "failed", "notCopied", False, "notCopied"),
    ],
)
def test_what_is_not_saved(kind, outcome, reason, stored, said):
    why = why_not_saved(kind, outcome, reason, None, stored=stored)
    assert (why and why[0]) == said
    assert why is None or why[1].endswith(".")
