"""Files that change, move and vanish between listing and copying; clocks that disagree; runs that overlap."""

import asyncio

import pytest

from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

T = "2026-03-01"


def backup(*entries):
    return Backup(FakeDrive(*entries or (file("x", b"before", id="x"), file("y", b"same", id="y"))))


async def one_row(run, plan, ident):
    summary = await run.commit(plan)
    return summary, (await run.rows(summary))[ident]


async def test_changed_between_listing_and_copying():
    run = backup()
    plan, (batch,) = await run.plan(T)
    run.drive.write("x", b"after", "2026-03-01T00:05:00.000Z")
    await run.copy(batch)
    summary, row = await one_row(run, plan, "x")
    assert (summary["status"], row["outcome"], row["fidelity"]) == ("complete", "copied", "head-later")
    assert (await run.restored(summary))["x"] == b"after"
    assert row["md5"] == row["contents"][0]["md5"]
    run.drive.reads.clear()
    assert (await run.run("2026-03-02"))["counts"] == {"unchanged": 2}
    assert not run.drive.reads


async def test_moved_between_listing_and_copying():
    run = backup(folder("A", file("x", b"same", id="x"), id="a"), folder("B", id="b"))
    plan, (batch,) = await run.plan(T)
    run.drive.change("x", parents=["b"], name="z")
    await run.copy(batch)
    summary, row = await one_row(run, plan, "x")
    assert (row["path"], row["fidelity"]) == ("A/x", "exact")
    assert (await run.restored(summary))["x"] == b"same"


async def test_deleted_between_listing_and_copying():
    run = backup()
    plan, (batch,) = await run.plan(T)
    run.drive.delete("x")
    await run.copy(batch)
    summary, row = await one_row(run, plan, "x")
    assert (row["outcome"], row["reason"], row["fidelity"]) == ("unavailable", "notFound", "unavailable")
    assert summary["status"] == "complete"
    assert await run.restored(summary) == {"y": b"same"}


async def test_a_document_that_is_edited_all_the_time_is_not_saved_half():
    run = backup(native("busy", id="busy", content=b"v0"))
    plan, (batch,) = await run.plan(T)
    run.drive.during_read = lambda ident: run.drive.write(
        ident, b"v%d" % run.drive.reads[ident], f"2026-03-01T00:00:{run.drive.reads[ident]:02d}.000Z"
    )
    with pytest.raises(Exception, match="1 of 1 files"):
        await run.copy(batch)
    _, row = await one_row(run, plan, "busy")
    assert (row["outcome"], row["reason"]) == ("failed", "changedWhileReading")
    assert run.contents() == []
    run.drive.during_read = None
    await run.copy(batch, resume=True)
    summary = await run.commit(plan)
    assert (summary["status"], await run.restored(summary)) == ("complete", {"busy": b"v4"})


@pytest.mark.parametrize(("modified", "fidelity"), [(-1, "exact"), (0, "exact"), (1, "head-later")])
async def test_a_millisecond_around_the_instant(modified, fidelity):
    times = {-1: "2026-02-28T23:59:59.999Z", 0: "2026-03-01T00:00:00.000Z", 1: "2026-03-01T00:00:00.001Z"}
    run = backup(file("x", b"x", id="x", modifiedTime=times[modified]))
    assert (await run.rows(await run.run(T)))["x"]["fidelity"] == fidelity


async def test_our_clock_is_behind_drives():
    """What was created after T by Drive's clock, and after now by ours, is kept: better once too often."""
    run = Backup(FakeDrive(file("x", b"x", id="x", createdTime="2026-03-01T00:30:00.000Z")), now="2026-03-01T00:10")
    assert await run.restored(await run.run(T)) == {"x": b"x"}


async def test_two_runs_of_one_source_at_once():
    run = backup(*(file(f"{n}", b"content %d" % n, id=f"f{n}") for n in range(30)), native("doc", id="doc"))
    plans = [await run.plan(T), await run.plan(T)]
    await asyncio.gather(*(run.copy(batches[0]) for _, batches in plans))
    assert len(run.contents()) == 31
    first, second = [await run.commit(plan) for plan, _ in plans]
    assert first["status"] == second["status"] == "complete"
    assert (first["created"], second["created"]) == (True, False)
    assert len(await run.restored(first)) == 31


async def test_two_workers_copy_one_batch_at_once():
    """The scheduler took a live worker for dead, and started another."""
    run = backup(*(file(f"{n}", b"content %d" % n, id=f"f{n}") for n in range(30)), native("doc", id="doc"))
    plan, (batch,) = await run.plan(T)
    await asyncio.gather(run.copy(batch), run.copy(batch, resume=True))
    summary = await run.commit(plan)
    assert summary["status"] == "complete"
    assert len(await run.restored(summary)) == len(run.contents()) == 31


async def test_a_listing_that_is_incomplete_never_turns_into_deletions():
    run = backup()
    first = await run.run(T)
    run.drive.incomplete = True
    run.drive.delete("x")
    second = await run.run("2026-03-02", mode="full")
    assert (first["status"], second["status"]) == ("complete", "partial")
    assert not second["listing_complete"]


async def test_a_blob_that_somebody_deleted_is_stored_again():
    run = backup()
    await run.run(T)
    del run.store.blobs[run.contents()[0]]
    summary = await run.run("2026-03-02")
    assert summary["counts"] == {"copied": 1, "unchanged": 1}
    assert await run.restored(summary) == {"x": b"before", "y": b"same"}
