"""How ``drive-backup restore`` ends: what it says was done, of how many of what, and how to go on."""

import asyncio
import os
import signal
import uuid

import pytest
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import PermanentError
from include.drive_backup.restore.local import LocalFolder
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, shortcut

ANN = "user/ann@example.com"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def container(azurite):
    name = f"c{uuid.uuid4().hex[:20]}"

    async def back_up():
        async with ContainerClient.from_connection_string(azurite, name) as client:
            store = AzureBlobStore(client, SystemClock())
            await store.ensure_container(create=True)
            inside = file("a.txt", b"first", id="a"), shortcut("in the folder", "b", id="s1")
            docs = folder("Docs", *inside, id="docs")
            await Backup(FakeDrive(docs, file("b.txt", b"b", id="b"), shortcut("To b", "b", id="s2")), store).run()

    asyncio.run(back_up())
    return name


@pytest.fixture
def run(container, command_line, tmp_path):
    cli = command_line(container)
    return lambda *more: cli("restore", ANN, "--to", str(tmp_path / "out"), *more)


def test_files_folders_and_shortcuts_are_counted_apart(run):
    code, out, _ = run()
    assert code == 0
    assert "as of" in out
    assert "2 files, 1 folder, 2 shortcuts" in out
    assert "restored: 2 files, 1 folder; left out: 2 shortcuts; 6 B written" in out
    assert "there already with the same content: 2 files, 1 folder" in run()[1]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("--path", "/To b"), 1),
        (("--id", "s1"), 1),
        (("--path", "/Docs/"), 0),
        (("--id", "docs"), 0),
        (("--path", "/b.txt"), 0),
    ],
)
def test_a_shortcut_that_was_asked_for_by_name_and_is_left_out_is_no_success(run, asked, code):
    ended, out, _ = run(*asked)
    out = " ".join(out.split())
    assert ended == code
    if code:
        assert "--id b" in out, "it says what it leads to"
        assert "1 shortcut that you asked for" in out


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_an_interrupted_restore_says_what_was_done_and_how_to_go_on(run, monkeypatch, before):
    signal.signal(signal.SIGINT, before)
    restore = LocalFolder.restore

    async def interrupted(destination, row):
        results = await restore(destination, row)
        if row.item.id == "docs":
            os.kill(os.getpid(), signal.SIGINT)
        return results

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "restore", interrupted)
        code, _, err = run()
    assert code == 130
    said = " ".join(err.split())
    assert "Interrupted. restored: 1 folder" in said
    assert "Run the same command again" in said
    assert run()[0] == 0


def test_a_restore_that_ends_with_an_error_says_what_was_done(run, monkeypatch):
    restore = LocalFolder.restore

    async def full(destination, row):
        if row.item.id != "docs":
            raise PermanentError("The disk is full.")
        return await restore(destination, row)

    monkeypatch.setattr(LocalFolder, "restore", full)
    code, _, err = run()
    assert code == 2
    assert "restored: 1 folder" in " ".join(err.split())
    assert "The disk is full." in err
