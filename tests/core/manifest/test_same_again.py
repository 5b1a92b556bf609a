"""A second look at an instant may call the first one as good only while the first one is whole in the container."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from include.drive_backup.groups import SourceGroup
from include.drive_backup.manifest.commit_group import commit_group, read_committed
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from tests.core.manifest.plans import T, commit, copied, plan, refused, row, store_content
from tests.core.verification.tamper import edit_rows
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, folder, native

ANN = Source.parse("user/ann@example.com")
SETTINGS = {"formats": {"document": ["docx", "pdf"]}, "save": ("comments",)}


@pytest.fixture
async def backup():
    drive = FakeDrive(
        folder("Reports", file("a.txt", b"first", id="a"), file("b.txt", b"other", id="b"), id="reports"),
        native("Plan", content=b"docx bytes", id="plan"),
    )
    drive.kept = {("a", "comments"): [{"id": "c1", "content": "well"}]}
    made = Backup(drive)
    await made.run(**SETTINGS)
    return made


def the_blob(store, part):
    [blob] = [name for name in store.blobs if part in name]
    return blob


def harm(store, blob, how):
    data, info = store.blobs[blob]
    if how == "gone":
        del store.blobs[blob]
        return
    data = data[:-1] if how == "cut" else b"x" * len(data)
    store.blobs[blob] = (data, replace(info, size=len(data), md5=hashlib.md5(data).hexdigest()))


async def latest(backup):
    return await SnapshotRepository(backup.store).latest(Series(source=ANN), T)


@pytest.mark.parametrize("how", ["gone", "cut", "other"])
@pytest.mark.parametrize("second_look", ["the same", "the item is gone", "the item is new"])
async def test_a_snapshot_that_lost_a_content_is_committed_again(backup, how, second_look):
    harm(backup.store, the_blob(backup.store, "/a.txt/"), how)
    if second_look == "the item is gone":
        backup.drive.delete("a")
    elif second_look == "the item is new":
        backup.drive.write("a", b"second", "2026-03-01T00:05:00.000Z")
    summary = await backup.run(**SETTINGS)
    whole_again = second_look == "the same" and how == "gone"
    # Copied again under its own name, the first snapshot is whole again.
    assert (summary["created"], summary["generation"]) == ((False, 1) if whole_again else (True, 2))
    assert summary["status"] == "complete"
    assert (await latest(backup)).generation == summary["generation"]
    restored = await backup.restored(summary)
    assert restored.get("a") == {"the same": b"first", "the item is new": b"second"}.get(second_look)
    # And that is as good as it gets.
    again = await backup.run(**SETTINGS)
    assert (again["created"], again["generation"]) == (False, summary["generation"])


@pytest.mark.parametrize("part", ["/items-00000", "/details-00000", "/manifest.json"])
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
async def test_a_snapshot_that_lost_a_part_is_committed_again(backup, part, how):
    harm(backup.store, the_blob(backup.store, part), how)
    for created in (True, False):
        summary = await backup.run(**SETTINGS)
        assert (summary["created"], summary["generation"], summary["status"]) == (created, 2, "complete")


@pytest.mark.parametrize("lost", ["/a.txt/", "/items-00000", "/manifest.json"])
async def test_an_older_generation_that_is_whole_does_not_make_up_for_the_newest(backup, lost):
    """Readers take the newest complete generation of an instant."""
    backup.drive.add(file("c.txt", b"c", id="c"))
    second = await backup.run(**SETTINGS)
    assert second["generation"] == 2
    backup.drive.delete("c")
    harm(backup.store, the_blob(backup.store, lost if lost == "/a.txt/" else f".2{lost}"), "cut")
    third = await backup.run(**SETTINGS)
    assert (third["created"], third["generation"]) == (True, 3)
    assert "a" in await backup.restored(third)


async def test_a_late_look_that_sees_less_replaces_a_damaged_first_look_and_keeps_what_is_left_of_it():
    drive = FakeDrive(*(file(f"{n}.txt", b"%d" % n, id=f"n{n}") for n in range(4)))
    backup = Backup(drive)
    await backup.run()
    for n in (0, 1):
        drive.delete(f"n{n}")
    del backup.store.blobs[the_blob(backup.store, "/0.txt/")]
    backup.clock.set(at("2026-04-01"))
    backup.written("2026-03-01T00:10")
    summary = await backup.run()
    assert (summary["created"], summary["generation"]) == (True, 2)
    assert summary["reasons"]["notStored"]["count"] == 1
    assert set(await backup.restored(summary)) == {"n1", "n2", "n3"}


async def test_rows_that_were_edited_in_place_are_not_as_good(backup):
    """Part and manifest edited together."""

    def edit(row):
        row["message"] = "All is well."

    edit_rows(backup.store, edit)
    summary = await backup.run(**SETTINGS)
    assert (summary["created"], summary["generation"]) == (True, 2)


async def test_a_partial_look_that_lost_a_content_is_committed_again():
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    rows, results = [row("a", copies=1), row("b", copies=1)], [copied(stored, "a"), refused("b", "failed", "x")]
    await commit(store, rows, results, token="p1")
    same = await commit(store, rows, results, token="p2")
    assert not same["created"]
    harm(store, stored.blob, "gone")
    lost = await commit(store, rows, results, token="p3")
    assert (lost["created"], lost["generation"], lost["counts"]) == (True, 2, {"failed": 2})


def group():
    return SourceGroup(work="work/run/r", number=1, of=1, parts=1, sources=2, label="")


@pytest.mark.parametrize("lost", ["content/", "items-00000", "manifest.json", None])
async def test_what_an_earlier_try_committed_is_looked_at_again(lost):
    """The journal says that it was committed, and not that it is still there."""
    store, clock = MemoryBlobStore(), FakeClock()
    stored = await store_content(store, "a")
    good = await plan(store, [row("a", copies=1)], [copied(stored, "a")], token="p1")
    task = replace(good.listing.task, source="user/bob@example.com")
    bad = replace(good, plan="work/none", listing=replace(good.listing, task=task))
    first, errors = await commit_group(store, "work/run/r/plan", group(), [good, bad], clock, "1")
    assert (len(first), len(errors)) == (1, 1)
    if lost:
        harm(store, the_blob(store, lost), "gone")
    [summary], errors = await commit_group(store, "work/run/r/plan", group(), [good, bad], clock, "1")
    assert len(errors) == 1
    if lost is None:
        assert summary == json.loads(json.dumps(first[0]))
    else:
        status, generation = ("partial", 2) if lost == "content/" else ("complete", 2)
        found = (summary["created"], summary["status"], summary["generation"], summary["manifest"] in store.blobs)
        assert found == (True, status, generation, True)
        assert await read_committed(store, "work/run/r/plan", [group()]) == [summary]


ODD = st.text(st.characters(codec=None), max_size=6) | st.sampled_from(["\ud800", "a\x00b", "é", ""])


@settings(max_examples=40, deadline=None)
@given(names=st.lists(ODD, min_size=1, max_size=5), comments=st.lists(ODD, max_size=3))
async def test_the_same_again_is_the_same_whatever_names_and_details_hold(names, comments):
    drive = FakeDrive(*(file(name, b"%d" % n, id=f"n{n}") for n, name in enumerate(names)))
    drive.kept = {("n0", "comments"): [{"content": text, "id": f"{n}"} for n, text in enumerate(comments)]}
    backup = Backup(drive)
    first = await backup.run(save=("comments",))
    assert (first["status"], first["created"]) == ("complete", True)
    drive.kept = {key: [dict(reversed(each.items())) for each in found] for key, found in drive.kept.items()}
    assert not (await backup.run(save=("comments",)))["created"]
    drive.kept = {("n0", "comments"): [{"id": "x"}]}
    assert (await backup.run(save=("comments",)))["created"]


async def test_a_snapshot_of_less_than_the_job_selects_by_now_does_not_stand_for_it():
    """Also where all items have changed since, so that none of the wider one is as it was at the instant."""
    drive = FakeDrive(*[file(f"{n}.{kind}", b"%d" % n, id=f"{kind}{n}") for n in range(3) for kind in ("txt", "md")])
    backup = Backup(drive, now="2026-03-01T00:10")
    await backup.run("2026-03-01", include=("*.txt",))
    backup.clock.set(at("2026-03-02T12:00"))
    drive.now = backup.clock.now()
    for ident in list(drive.items):
        if ident[:-1] in ("txt", "md"):
            drive.change(ident, name=f"renamed {drive.items[ident]['name']}")
    summary = await backup.run("2026-03-01", include=())
    assert (summary["created"], summary["items"]) == (True, 6)
    found = await SnapshotRepository(backup.store).find(ANN, "2026-03-01T06:00")
    assert (found.items, found.selection["include"]) == (6, [])


async def test_a_second_look_with_a_narrower_job_displaces_nothing():
    drive = FakeDrive(*[file(f"{n}.{kind}", b"%d" % n, id=f"{kind}{n}") for n in range(3) for kind in ("txt", "md")])
    backup = Backup(drive, now="2026-03-01T00:10")
    await backup.run("2026-03-01")
    assert (await backup.run("2026-03-01", include=("*.txt",)))["created"] is False
