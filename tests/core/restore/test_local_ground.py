"""Restores into file systems that cannot do all that Linux's own can: all comes back there, or nothing is begun."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from include.drive_backup.errors import PermanentError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.restore import placing
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.local_target import open_local
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from tests.core.restore.test_local import ANN, files
from tests.support import exfat
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

HARD = [
    "what?.txt",
    "a:b",
    'say "hi"',
    "x|y",
    "<in>",
    "star*",
    "back\\slash",
    "bell\x07",
    "dot.",
    "blank ",
    "CON",
    "nul.txt",
]


def hard_drive():
    return FakeDrive(
        folder("Reports", file("a.txt", b"first", id="a1"), file("a.txt", b"second", id="a2"), id="reports"),
        folder("reports", file("a.txt", b"third", id="a3"), id="reports2"),
        file("Ä", b"composed", id="u1"),
        file("A\u0308", b"combined", id="u2"),
        file("ä", b"small", id="u3"),
        file("zero\u200bwidth", b"joined 1", id="z1"),
        file("zerowidth", b"joined 2", id="z2"),
        file("語" * 200, b"long", id="long"),
        native("Plan", content=b"docx bytes", id="plan"),
        *(file(name, name.encode(), id=f"h{n}") for n, name in enumerate(HARD)),
    )


ALL = sorted(
    [
        b"first",
        b"second",
        b"third",
        b"composed",
        b"combined",
        b"small",
        b"joined 1",
        b"joined 2",
        b"long",
        b"docx bytes",
    ]
    + [name.encode() for name in HARD]
)


@pytest.fixture
async def hard():
    made = Backup(hard_drive())
    await made.run(formats={"document": ["docx"]})
    return made


@pytest.fixture(params=["ext4", "double", "exfat"])
def ground(request, tmp_path, monkeypatch):
    """A folder to restore into: on a file system of Linux, on a double of exFAT, and on a real one."""
    if request.param != "exfat":
        place = tmp_path / "target"
        place.mkdir()
        if request.param == "double":
            exfat.pretend(monkeypatch, place)
        yield place
        return
    with exfat.mounted(tmp_path) as place:
        if place is None:
            pytest.skip("this machine cannot mount an exFAT (needs root, exfatprogs, exfat-fuse)")
        yield place


async def bring_back(backup, root, conflict="copy", **selection):
    manifest = await SnapshotRepository(backup.store).find(ANN)
    wanted = await select(backup.store, manifest, Selection(**selection))
    results = []
    counts = await restore(
        backup.store, manifest, wanted, open_local(root, wanted, backup.store, conflict), results.append
    )
    return counts, results


@pytest.mark.parametrize("conflict", ["copy", "skip", "replace"])
async def test_every_item_is_there_once(hard, ground, conflict):
    counts, _ = await bring_back(hard, ground, conflict)
    assert counts["failed"] == 0
    assert sorted(files(ground).values()) == ALL
    assert all(".drive-backup-" not in name for name in files(ground))
    again, _ = await bring_back(hard, ground, conflict)
    assert (again["restored"], again["failed"], again["skipped"]) == (0, 0, 0)
    assert sorted(files(ground).values()) == ALL


@pytest.mark.parametrize(
    ("conflict", "there"),
    [("copy", [b"first", b"mine"]), ("skip", [b"mine"]), ("replace", [b"first"])],
)
async def test_what_is_there_is_treated_as_asked(hard, ground, conflict, there):
    (ground / "Reports").mkdir()
    (ground / "Reports" / "a.txt").write_bytes(b"mine")
    for _ in range(2):
        await bring_back(hard, ground, conflict, ids=("a1",))
        assert sorted(files(ground).values()) == there


async def test_a_part_of_a_snapshot_does_not_take_the_place_of_another_part(hard, ground):
    for one in ("a1", "a2", "a3"):
        await bring_back(hard, ground, "replace", ids=(one,))
    assert sorted(files(ground).values()) == [b"first", b"second", b"third"]


async def test_names_that_are_one_to_the_file_system_alone_are_both_there(hard, tmp_path, monkeypatch):
    """Whatever the file system takes for equal, and this program does not know."""
    place = tmp_path / "target"
    place.mkdir()
    exfat.pretend(monkeypatch, place)
    monkeypatch.setattr("include.drive_backup.restore.naming.folded", lambda name: name)
    monkeypatch.setattr("include.drive_backup.restore.selection.folded", lambda name: name)
    for conflict in ("replace", "skip", "copy"):
        counts, results = await bring_back(hard, place, conflict)
        assert counts["failed"] == 0
        assert sorted(files(place).values()) == ALL
    assert results


async def test_a_target_without_links_is_found_out_before_the_first_byte(hard, tmp_path, monkeypatch):
    """Not even a place can be taken there so that nobody else has it: then nothing is read of the backup."""
    create = placing.OpenFolder.create

    def never_exclusive(folder, name, mode=0o600):
        folder.remove(name)
        return create(folder, name, mode)

    def no_link(*_):
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(placing.OpenFolder, "create", never_exclusive)
    monkeypatch.setattr(placing.OpenFolder, "link", no_link)
    read = []
    monkeypatch.setattr(hard.store, "stream", read.append)
    with pytest.raises(PermanentError, match="another disk"):
        await bring_back(hard, tmp_path / "target")
    assert read == []
    assert files(tmp_path) == {}


async def test_somebody_who_takes_the_name_first_keeps_it(hard, ground, monkeypatch):
    give_name = placing.give_name

    def beaten(folder, name, new, way):
        (folder.path / new).write_bytes(b"mine")
        monkeypatch.setattr("include.drive_backup.restore.local.give_name", give_name)
        give_name(folder, name, new, way)

    monkeypatch.setattr("include.drive_backup.restore.local.give_name", beaten)
    await bring_back(hard, ground, ids=("plan",))
    assert sorted(files(ground).values()) == [b"docx bytes", b"mine"]


async def test_somebody_who_writes_into_the_place_that_was_taken_keeps_it(hard, tmp_path, monkeypatch):
    place = tmp_path / "target"
    place.mkdir()
    exfat.pretend(monkeypatch, place)
    ticket, seen = placing._ticket, []

    def beaten(folder, name):
        if name == "Plan.docx" and folder.look(name) is not None and not seen:
            seen.append(name)
            (place / name).write_bytes(b"mine")
        return ticket(folder, name)

    monkeypatch.setattr(placing, "_ticket", beaten)
    await bring_back(hard, place, ids=("plan",))
    assert seen
    assert sorted(files(place).values()) == [b"docx bytes", b"mine"]


async def test_a_file_that_is_saved_while_it_is_replaced_is_left(hard, ground, monkeypatch):
    mine = ground / "Plan.docx"
    mine.write_bytes(b"mine")
    stream = hard.store.stream

    def saved_meanwhile(name):
        mine.write_bytes(b"newest, and longer")
        return stream(name)

    monkeypatch.setattr(hard.store, "stream", saved_meanwhile)
    _, results = await bring_back(hard, ground, "replace", ids=("plan",))
    assert sorted(files(ground).values()) == [b"docx bytes", b"newest, and longer"]
    [result] = [each for each in results if each.item_id == "plan"]
    assert "Somebody changed" in result.message


def test_names_like_unfinished_files_are_not_given_to_items():
    name = placing.temporary()
    assert placing.is_temporary(name)
    assert not placing.is_temporary(placing.temporary() + " of mine")


async def test_an_item_that_is_called_like_an_unfinished_file_is_kept(tmp_path):
    made = Backup(FakeDrive(file(".drive-backup-0123456789abcdef", b"somebody's", id="odd"), file("b", b"b", id="b")))
    await made.run()
    for _ in range(2):
        await bring_back(made, tmp_path)
        assert sorted(files(tmp_path).values()) == [b"b", b"somebody's"]


async def test_a_file_whose_bytes_are_the_name_of_an_unfinished_one_is_kept(tmp_path, monkeypatch):
    """On a file system without links such bytes mark a place that is taken."""
    place = tmp_path / "target"
    place.mkdir()
    exfat.pretend(monkeypatch, place)
    name = placing.temporary().encode()
    made = Backup(FakeDrive(file("odd", name, id="odd"), file("b", b"b", id="b")))
    await made.run()
    (place / "mine").write_bytes(placing.temporary().encode())
    (place / placing.temporary()).write_bytes(b"left")
    for _ in range(2):
        await bring_back(made, place)
        assert len(files(place)) == 3
        assert {b"b", name} < set(files(place).values())


KILLED = """
import os, sys
from pathlib import Path
from include.drive_backup.restore.open_folder import OpenFolder, hold
from include.drive_backup.restore.placing import temporary
with OpenFolder.at(Path(sys.argv[1])) as folder:
    name = temporary()
    descriptor = folder.create(name)
    hold(descriptor)
    os.write(descriptor, b"half")
    if len(sys.argv) > 2:
        place = folder.create(sys.argv[2])
        os.write(place, name.encode())
    print("ready", flush=True)
    import time
    time.sleep(600)
"""


def half_done(place, *more):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(place), *more],
        cwd=Path(__file__).resolve().parents[3],
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    return process


async def test_what_a_killed_restore_left_goes_at_the_next_one_and_what_is_in_use_stays(hard, tmp_path):
    process = half_done(tmp_path)
    try:
        await bring_back(hard, tmp_path, ids=("plan",))
        [left] = [name for name in files(tmp_path) if name.startswith(".drive-backup-")]
        assert files(tmp_path)[left] == b"half", "it is in use"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    (tmp_path / ".drive-backup-notes").write_bytes(b"somebody's")
    (tmp_path / ".drive-backup-0123456789abcdef").mkdir()
    await bring_back(hard, tmp_path, ids=("plan",))
    assert files(tmp_path) == {"Plan.docx": b"docx bytes", ".drive-backup-notes": b"somebody's"}
    assert (tmp_path / ".drive-backup-0123456789abcdef").is_dir()


@pytest.mark.parametrize("conflict", ["copy", "skip", "replace"])
async def test_a_place_that_a_killed_restore_took_is_free_again(hard, tmp_path, conflict):
    process = half_done(tmp_path, "Plan.docx")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    counts, _ = await bring_back(hard, tmp_path, conflict, ids=("plan",))
    assert counts["restored"] == 1
    assert files(tmp_path) == {"Plan.docx": b"docx bytes"}


async def test_where_files_cannot_be_locked_only_old_ones_go(hard, tmp_path, monkeypatch):
    monkeypatch.setattr("include.drive_backup.restore.open_folder._FCNTL", None)
    young, old = tmp_path / placing.temporary(), tmp_path / placing.temporary()
    for each in (young, old):
        each.write_bytes(b"half")
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    await bring_back(hard, tmp_path, ids=("plan",))
    assert set(files(tmp_path)) == {"Plan.docx", young.name}


async def test_a_disk_without_room_is_said_before_the_first_byte(hard, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: (1000, 990, 10))
    read = []
    monkeypatch.setattr(hard.store, "stream", read.append)
    with pytest.raises(PermanentError, match=r"10 B .*--path"):
        await bring_back(hard, tmp_path)
    assert read == []


async def test_what_is_there_already_needs_no_room(hard, tmp_path, monkeypatch):
    await bring_back(hard, tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: (1000, 990, 10))
    counts, _ = await bring_back(hard, tmp_path)
    assert (counts["restored"], counts["failed"]) == (0, 0)


async def test_a_file_system_that_does_not_know_its_room_is_not_refused(hard, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: (0, 0, 0))
    counts, _ = await bring_back(hard, tmp_path)
    assert counts["failed"] == 0


async def test_where_there_are_no_descriptors_of_folders_links_still_lead_nowhere(hard, tmp_path, monkeypatch):
    monkeypatch.setattr("include.drive_backup.restore.open_folder._BY_DESCRIPTOR", False)
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "Reports").symlink_to(outside)
    (root / "Plan.docx").symlink_to(outside / "Plan.docx")
    counts, _ = await bring_back(hard, root, "replace")
    assert list(outside.iterdir()) == []
    assert counts["failed"] > 0
    assert b"third" in files(root).values()


def test_the_folder_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PermanentError, match="Name another one"):
        LocalFolder(tmp_path / "file", {}, None)
