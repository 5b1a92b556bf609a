"""Names of a user that look like our own: a file or folder '~orphans' or '~trash' beside the folder of that name."""

import os

import pytest

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.local_cloud.drive import ANN as LOCAL_ANN
from include.local_cloud.drive import edits
from tests.core.restore.test_drive import opened
from tests.core.restore.test_local import bring_back, files
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder

ANN = Source.parse("user/ann@example.com")
LOST = {"parents": ["gone"]}


def drive(*odd):
    return FakeDrive(
        *odd,
        file("lost.txt", b"lost", id="lost", **LOST),
        folder("Lost folder", file("deep.txt", b"deep", id="deep"), id="lf", **LOST),
        file("thrown.txt", b"thrown", id="thrown", trashed=True),
    )


ODD = {
    "file": (file("~orphans", b"mine", id="mine"), file("~trash", b"my trash", id="mine2")),
    "folder": (folder("~orphans", file("in.txt", b"mine"), id="mine"), folder("~trash", file("in.txt", b"my trash"))),
    "both": (file("~orphans", b"mine", id="mine"), folder("~orphans", file("in.txt", b"my trash"))),
    "other letters": (file("~ORPHANS", b"mine", id="mine"), file("~Trash", b"my trash", id="mine2")),
    "same names inside": (folder("~orphans", file("lost.txt", b"mine")), file("~trash", b"my trash")),
}
EXPECTED = sorted([b"lost", b"deep", b"thrown", b"mine", b"my trash"])


async def backed_up(kind):
    backup = Backup(drive(*ODD[kind]))
    await backup.run(trashed=True)
    return backup


@pytest.mark.parametrize("kind", ODD)
async def test_in_a_local_folder(kind, tmp_path):
    backup = await backed_up(kind)
    counts, results = await bring_back(backup, tmp_path)
    assert [each for each in results if each.outcome == "failed"] == []
    assert sorted(files(tmp_path).values()) == EXPECTED
    again, _ = await bring_back(backup, tmp_path)
    assert (again["restored"], again["failed"]) == (0, 0)
    assert counts["restored"] == again["same"]


@pytest.mark.parametrize("kind", ODD)
async def test_in_a_container(kind):
    backup, target = await backed_up(kind), MemoryTargetStore()
    manifest = await SnapshotRepository(backup.store).find(ANN)
    wanted = await select(backup.store, manifest, Selection())
    names = container_names(wanted.values(), "")
    results = []
    destination = TargetContainer(target, names, backup.store, (str(ANN), "x"))
    await restore(backup.store, manifest, wanted, destination, results.append)
    assert {each.outcome for each in results} <= {"restored", "same"}
    found = {name: data for name, (data, _) in target.blobs.items() if data}
    assert sorted(found.values()) == EXPECTED
    # What is a file is not a folder of others, for a file system that it is downloaded to.
    assert not [name for name in found if any(other.startswith(f"{name}/") for other in found)]


@pytest.mark.parametrize(
    ("paths", "ids", "expected"),
    [
        (("/~orphans",), (), [b"deep", b"lost", b"mine"]),
        (("/~orphans/lost.txt",), (), [b"lost"]),
        ((), ("mine",), [b"mine"]),
        (("/~orphans/", "!/~orphans/Lost folder/"), (), [b"lost"]),
        (("/~trash/",), (), [b"thrown"]),
    ],
)
async def test_a_selection_of_them(paths, ids, expected, tmp_path):
    backup = await backed_up("file")
    counts, _ = await bring_back(backup, tmp_path, paths=paths, ids=ids)
    assert (sorted(files(tmp_path).values()), counts["failed"]) == (expected, 0)


@pytest.mark.parametrize("first", [("/~orphans/",), ("/a.txt",)])
async def test_one_selection_after_the_other_into_the_same_folder(first, tmp_path):
    backup = Backup(drive(*ODD["file"], file("a.txt", b"a")))
    await backup.run(trashed=True)
    await bring_back(backup, tmp_path, paths=first)
    await bring_back(backup, tmp_path, ids=("mine",))
    counts, _ = await bring_back(backup, tmp_path)
    assert counts["failed"] == 0
    assert sorted(files(tmp_path).values()) == sorted([*EXPECTED, b"a"])


@pytest.mark.parametrize("merge", [False, True])
async def test_in_drive(merge):
    made = LocalDrive()
    made.file("~orphans", content=b"mine")
    folder_ = made.folder("~trash")
    made.file("in.txt", folder_.id, content=b"my trash")
    lost = made.file("lost.txt", content=b"lost")
    made.state.items[lost.id].parents = []
    thrown = made.file("thrown.txt", content=b"thrown")
    async with opened(made) as world:
        edits.trash(made.state, thrown, by=LOCAL_ANN)
        await world.backup.run("2026-03-02", trashed=True)
        for _ in range(2):
            counts, results, top = await world.bring_back(merge=merge)
            assert [each for each in results if each.outcome == "failed"] == []
        tree = world.tree(top)
        names = [path for path, _ in tree]
        assert {"~orphans/lost.txt", "~trash/thrown.txt", "~trash/in.txt"} <= set(names)
        assert ("~orphans", b"mine") in tree
        assert counts["restored"] == 0


async def test_a_copy_beside_takes_no_name_that_another_file_is_about_to_get(tmp_path):
    """'a.txt' is taken, so a copy goes to 'a (2).txt', which is the name of another file of the snapshot."""
    backup = Backup(FakeDrive(*(file(name, name.encode()) for name in ("a.txt", "a (2).txt", "a (3).txt"))))
    await backup.run()
    (tmp_path / "a.txt").write_bytes(b"other")
    counts, _ = await bring_back(backup, tmp_path)
    assert counts["failed"] == 0
    assert sorted(files(tmp_path).values()) == sorted([b"other", b"a.txt", b"a (2).txt", b"a (3).txt"])


async def test_a_name_that_somebody_else_takes_meanwhile(tmp_path, monkeypatch):
    backup = Backup(FakeDrive(file("a.txt", b"ours")))
    await backup.run()
    link, seen = os.link, []

    def late(source, target, **more):
        if not seen:
            seen.append(target)
            (tmp_path / "a.txt").write_bytes(b"other")
        return link(source, target, **more)

    monkeypatch.setattr(os, "link", late)
    counts, _ = await bring_back(backup, tmp_path)
    assert (counts["failed"], counts["restored"]) == (0, 1)
    assert files(tmp_path) == {"a.txt": b"other", "a (2).txt": b"ours"}


async def test_files_with_names_of_our_own_temporary_files(tmp_path):
    names = [".drive-backup-0123456789abcdef", ".drive-backup-", "~", "~~", "~path-x", "~path-" + "0" * 32]
    backup = Backup(FakeDrive(*(file(name, name.encode()) for name in names)))
    await backup.run()
    counts, _ = await bring_back(backup, tmp_path)
    assert counts["failed"] == 0
    # The first could be taken for an unfinished file of a restore that died, and be removed by the next one.
    restored = {name.replace(".drive-backup-0", "%2Edrive-backup-0"): name.encode() for name in names}
    assert restored.items() <= files(tmp_path).items()
    await bring_back(backup, tmp_path)
    assert restored.items() <= files(tmp_path).items()
