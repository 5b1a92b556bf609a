"""A restore says which names it changed: item by item, and at its end how many, with the first ones."""

import pytest
from msgspec.structs import replace

from include.drive_backup.errors import BrokenBodyError, PermanentError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.orders import RestoreResult
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.restore.tally import Tally
from tests.core.restore.test_local import ANN
from tests.core.restore.test_local_ground import bring_back
from tests.support import exfat
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder, native

LONG = "語" * 200


@pytest.fixture
async def named():
    made = Backup(
        FakeDrive(
            folder("a:b", file("plain.txt", b"1", id="p"), id="f"),
            file("what?.txt", b"2", id="q"),
            file("twin.txt", b"3", id="t1"),
            file("twin.txt", b"4", id="t2", createdTime="2026-01-02T08:00:00.000Z"),
            file("Report", b"5", id="r1"),
            file("report", b"6", id="r2", createdTime="2026-01-02T08:00:00.000Z"),
            file(LONG, b"7", id="l"),
            file("x/y", b"8", id="s"),
            file("half \ud83d", b"11", id="h"),
            native("Plan", content=b"9", id="plan"),
            native("Notes.docx", content=b"10", id="notes"),
        )
    )
    await made.run(formats={"document": ["docx"]})
    return made


def changed(results):
    return {each.item_id: (each.renamed, each.target.rpartition("/")[2]) for each in results if each.renamed}


ANYWHERE = {
    "t2": ("twin.txt", "twin (t2).txt"),
    "r2": ("report", "report (r2)"),
    "l": (LONG, LONG[:85]),
    "s": ("x/y", "x%2Fy"),
    "h": ("half \\ud83d", "half ?"),
}


async def test_on_a_disk_of_linux(named, tmp_path):
    _, results = await bring_back(named, tmp_path)
    assert changed(results) == ANYWHERE
    assert all(each.to_dict() for each in results)
    _, again = await bring_back(named, tmp_path)
    assert {each.outcome for each in again} == {"same"}
    assert changed(again) == ANYWHERE


async def test_where_fewer_names_can_be(named, tmp_path, monkeypatch):
    place = tmp_path / "target"
    place.mkdir()
    exfat.pretend(monkeypatch, place)
    _, results = await bring_back(named, place)
    hard = {"f": ("a:b", "a%3Ab"), "q": ("what?.txt", "what%3F.txt"), "h": (ANYWHERE["h"][0], "half %3F")}
    assert changed(results) == ANYWHERE | hard


async def test_beside_what_is_there(named, tmp_path):
    (tmp_path / "Plan.docx").write_bytes(b"mine")
    _, results = await bring_back(named, tmp_path, ids=("plan",))
    assert changed(results) == {"plan": ("Plan.docx", "Plan (2).docx")}


async def test_what_was_left_alone_or_failed_has_no_new_name(named, tmp_path):
    (tmp_path / "x%2Fy").write_bytes(b"mine")
    [lost] = [name for name in named.contents() if f"/{LONG[:5]}" in name]
    del named.store.blobs[lost]
    _, results = await bring_back(named, tmp_path, "skip", ids=("s", "l"))
    assert {each.outcome for each in results} == {"skipped", "failed"}
    assert changed(results) == {}


async def test_in_another_container(named):
    target = MemoryTargetStore()
    manifest = await SnapshotRepository(named.store).find(ANN)
    wanted = await select(named.store, manifest, Selection())
    names, origin = container_names(wanted.values(), ""), (manifest.source, manifest.name.ident)
    results = []
    await restore(named.store, manifest, wanted, TargetContainer(target, names, named.store, origin), results.append)
    # Blob holds long names of fewer bytes, and a colon and a question mark.
    assert changed(results) == {key: ANYWHERE[key] for key in ("t2", "r2", "s", "h")}


def test_the_sum_names_the_first_ones():
    tally = Tally()
    result = RestoreResult(item_id="i", path="p", outcome="restored", target="/out/a%3Ab", kind="file")
    tally.add(result)
    assert tally.changed_names == ""
    for number in range(5):
        tally.add(replace(result, renamed=f"a:{number}", target=f"/out/a%3A{number}"))
    assert tally.changed_names == (
        "5 names were changed, since others have them or the place cannot hold them: 'a:0' is '/out/a%3A0', 'a:1' is "
        "'/out/a%3A1', 'a:2' is '/out/a%3A2' and 2 more; the result of each item tells."
    )


def test_a_name_in_the_sum_moves_no_cursor():
    tally = Tally()
    tally.add(RestoreResult(item_id="i", path="p", outcome="restored", target="/out/a", renamed="\x1b[2J\ud800"))
    assert "'\\x1b[2J\\xd800' is '/out/a'" in tally.changed_names


@pytest.mark.parametrize("error", [PermanentError("HTTP 409."), BrokenBodyError("It did not arrive.")])
async def test_a_content_that_cannot_be_read_is_a_result_of_its_own(named, tmp_path, error):
    """Of one blob the service may say that it gives it to nobody here; all others can be had."""

    def strike(phase, operation, name):
        if (phase, operation) == ("before", "stream") and "/what" in name:
            raise error

    named.store.fault = strike
    counts, results = await bring_back(named, tmp_path)
    assert counts["failed"] == 1
    assert [each.message for each in results if each.outcome == "failed"] == [str(error)]
