"""A snapshot of an instant that is over has what Drive still gives of it, and says how sure that is."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

DAYS = ("2026-02-02", "2026-02-04", "2026-02-06")


def lived(*, kept: bool = False) -> Backup:
    """A Drive that was edited on the 1st, 3rd and 5th of February; it is the 1st of March."""
    drive = FakeDrive(folder("A", native("Plan", content=b"plan 1", id="plan"), file("f", b"file 1", id="f"), id="A"))
    for day, text in ((3, b"2"), (5, b"3")):
        for ident, name in (("plan", b"plan "), ("f", b"file ")):
            drive.write(ident, name + text, f"2026-02-0{day}T08:00:00.000Z")
    for resource, _ in drive.past["f"]:
        resource["keepForever"] = kept
    return Backup(drive)


async def read(backup, summary):
    rows = await backup.rows(summary)
    return {ident: (data, rows[ident]["fidelity"]) for ident, data in (await backup.restored(summary)).items()}


async def test_a_document_comes_from_its_revision_and_a_file_only_when_it_was_kept():
    backup = lived()
    found = await read(backup, await backup.run(DAYS[0]))
    assert found == {"plan": (b"plan 1", "revision"), "f": (b"file 3", "head-later")}
    backup = lived(kept=True)
    summary = await backup.run(DAYS[1])
    assert await read(backup, summary) == {"plan": (b"plan 2", "revision"), "f": (b"file 2", "revision")}
    row = (await backup.rows(summary))["f"]
    assert (row["modified"], row["md5"]) == (at("2026-02-03T08:00"), row["contents"][0]["md5"])
    assert "keep" not in row["message"]


@pytest.mark.parametrize("order", list(itertools.permutations(DAYS)))
async def test_any_order_of_days_gives_the_same_and_copies_nothing_twice(order):
    backup = lived(kept=True)
    found = {day: await read(backup, await backup.run(day)) for day in order}
    assert [found[day]["plan"] for day in DAYS] == [
        (b"plan 1", "revision"),
        (b"plan 2", "revision"),
        (b"plan 3", "place-later"),
    ]
    assert [found[day]["f"][0] for day in DAYS] == [b"file 1", b"file 2", b"file 3"]
    assert set(backup.drive.reads.values()) == {1}
    before = backup.contents()
    again = [await backup.run(day) for day in order]
    assert not any(summary["created"] for summary in again)
    assert backup.contents() == before


async def test_what_was_read_late_proves_nothing_about_the_days_after_it():
    backup = lived()
    await backup.run(DAYS[0])
    backup.written("2026-03-01T00:10")
    assert (await read(backup, await backup.run(DAYS[1])))["plan"] == (b"plan 2", "revision")


async def test_a_file_that_was_only_renamed_since_is_the_one_of_then():
    backup = Backup(FakeDrive(file("f", b"same", id="f")))
    revision = backup.drive._revision("f")
    backup.drive.past["f"].append((revision, b"same"))
    backup.drive.change("f", name="renamed", modifiedTime="2026-02-20T08:00:00.000Z")
    assert await read(backup, await backup.run("2026-02-10")) == {"f": (b"same", "revision")}


async def test_a_killed_try_does_not_take_the_head_for_the_past():
    backup = lived()
    await backup.run("2026-02-28")
    plan, (batch,) = await backup.plan(DAYS[0])
    await backup.copy(batch, resume=True)
    assert (await read(backup, await backup.commit(plan)))["plan"] == (b"plan 1", "revision")


async def test_what_may_not_be_looked_up_is_the_head_and_says_so():
    backup = lived()
    backup.drive.items["plan"]["capabilities"] = {"canReadRevisions": False}
    assert (await read(backup, await backup.run(DAYS[0])))["plan"] == (b"plan 3", "head-later")


async def test_a_damaged_blob_is_not_taken_for_the_version_of_then():
    backup = lived()
    await backup.run(DAYS[0])
    (name,) = [name for name in backup.contents() if "/20260201T" in name]
    data, info = backup.store.blobs[name]
    backup.store.blobs[name] = (data, replace(info, md5="0" * 32))
    found = await backup.run(DAYS[0])
    row = (await backup.rows(found))["plan"]
    assert (row["fidelity"], row["contents"][0]["blob"] != name) == ("revision", True)
