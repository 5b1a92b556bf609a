"""What was backed up comes back into another container: names, bytes, types; nothing twice, and never into a backup."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import (
    BrokenBodyError,
    ConfigError,
    ContainerMissingError,
    CredentialsError,
    PermanentError,
    ServiceUnavailableError,
)
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.container_target import ContainerPlace, check_target, clean_prefix
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.transfer.upload import BLOCK_SIZE
from tests.core.restore.test_local import ANN, drive
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder

ALL = {
    "Empty": b"",
    "Plan.docx": b"docx bytes",
    "Reports/2026/q1%2Fq2.csv": b"1;2",
    "Reports/a (a2).txt": b"second",
    "Reports/a.txt": b"first",
    "none.bin": b"",
    "%2E%2E": b"dots",
}


class Killed(BaseException):
    """The process dies of SIGKILL: nothing of it runs any more."""


async def bring_back(backup, target, conflict="copy", prefix="", **selection):
    manifest = await SnapshotRepository(backup.store).find(ANN)
    wanted = await select(backup.store, manifest, Selection(**selection))
    await check_target(backup.store, target)
    names = container_names(wanted.values(), clean_prefix(prefix))
    origin = (manifest.source, manifest.name.ident)
    destination, results = TargetContainer(target, names, backup.store, origin, conflict), []
    return await restore(backup.store, manifest, wanted, destination, results.append), results


async def test_every_file_is_a_blob_under_its_readable_name(backup, target):
    counts, results = await bring_back(backup, target)
    assert target.files() == dict(sorted(ALL.items()))
    assert (counts["restored"], counts["same"], counts["left-out"]) == (7, 2, 1)
    [left] = [each for each in results if each.outcome == "left-out"]
    assert left.path == "To a"
    [first] = [each for each in results if each.item_id == "a1"]
    assert first.target == "memory://target/Reports/a.txt"


async def test_a_blob_says_what_it_is_and_where_it_comes_from(backup, target):
    await bring_back(backup, target)
    info = await target.head("Plan.docx")
    assert info.content_type == "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert info.md5 == hashlib.md5(b"docx bytes").hexdigest()
    facts = info.metadata
    assert (facts["source"], facts["snapshot"]) == (str(ANN), "20260301T000000.000Z")
    assert (facts["file_id"], facts["name"], facts["format"]) == ("plan", "Plan", "docx")
    assert facts["modified"] == "20260201T080000.000Z"
    assert facts["sha256"] == hashlib.sha256(b"docx bytes").hexdigest()
    empty = await target.head("Empty")
    assert (empty.size, empty.metadata["hdi_isfolder"], empty.metadata["name"]) == (0, "true", "Empty")


async def test_all_of_it_may_go_under_a_prefix_and_some_of_it_alone(backup, target):
    await bring_back(backup, target, prefix="/from 2026/ann/", paths=("/Reports/2026/",))
    assert target.files() == {"from 2026/ann/Reports/2026/q1%2Fq2.csv": b"1;2"}


async def test_restoring_again_writes_nothing(backup, target):
    await bring_back(backup, target)
    before = dict(target.blobs)
    counts, _ = await bring_back(backup, target)
    assert (counts["same"], counts["restored"], counts["bytes"]) == (9, 0, 0)
    assert target.blobs == before


@pytest.mark.parametrize("content", [b"mine", b"FIRST"])
@pytest.mark.parametrize(
    ("conflict", "outcome", "first", "beside"),
    [("copy", "restored", None, True), ("skip", "skipped", None, False), ("replace", "restored", b"first", False)],
)
async def test_other_bytes_of_that_name_are_treated_as_asked(backup, target, content, conflict, outcome, first, beside):
    await target.put("Reports/a.txt", content)
    _, results = await bring_back(backup, target, conflict, ids=("a1",))
    assert [each.outcome for each in results if each.item_id == "a1"] == [outcome]
    expected = {"Reports/a.txt": first or content, **({"Reports/a (2).txt": b"first"} if beside else {})}
    assert target.files() == dict(sorted(expected.items()))
    await bring_back(backup, target, conflict, ids=("a1",))
    assert target.files() == dict(sorted(expected.items()))


async def test_the_same_bytes_without_an_md5_are_the_same(backup, target):
    """Some tools store none; then the bytes are read."""
    await target.put("Reports/a.txt", b"first")
    data, info = target.blobs["Reports/a.txt"]
    target.blobs["Reports/a.txt"] = (data, type(info)(name=info.name, size=5, modified=info.modified))
    target._checked = lambda name: target.blobs[name][0]
    _, results = await bring_back(backup, target, ids=("a1",))
    assert [each.outcome for each in results] == ["same", "same"]


async def test_a_file_of_many_blocks_is_replaced_only_when_all_of_it_is_there(target):
    large = bytes(range(256)) * (BLOCK_SIZE // 256) * 2 + b"end"
    backup = Backup(FakeDrive(file("large.bin", large, id="large")))
    await backup.run()
    await target.put("large.bin", b"before")
    target.fault = lambda phase, operation, name: _raise(phase, operation, "before", "commit", BrokenBodyError("gone"))
    counts, _ = await bring_back(backup, target, "replace")
    assert (counts["failed"], target.files()) == (1, {"large.bin": b"before"})
    target.fault = None
    counts, _ = await bring_back(backup, target, "replace")
    assert (counts["restored"], target.files()) == (1, {"large.bin": large})


def _raise(phase, operation, when, what, error):
    if (phase, operation) == (when, what):
        raise error


async def test_damaged_content_gets_no_name_and_replaces_nothing(backup, target):
    [blob] = [name for name in backup.store.blobs if "/Plan/" in name]
    backup.store.blobs.pop(blob)
    await backup.store.put(blob, b"DOCX bytes")
    await target.put("Plan.docx", b"what was there")
    counts, results = await bring_back(backup, target, "replace")
    [failed] = [each for each in results if each.outcome == "failed"]
    assert (counts["failed"], failed.path) == (1, "Plan")
    assert "drive-backup verify" in failed.message
    assert target.files() == dict(sorted({**ALL, "Plan.docx": b"what was there"}.items()))


async def test_a_blob_that_arrives_as_another_is_said_to_be_wrong(backup, target):
    def spoil(phase, operation, name):
        if (phase, operation, name) == ("after", "put", "Plan.docx"):
            _, info = target.blobs[name]
            target.blobs[name] = (b"x", type(info)(name=name, size=1, md5=hashlib.md5(b"x").hexdigest()))

    target.fault = spoil
    counts, results = await bring_back(backup, target)
    [failed] = [each for each in results if each.outcome == "failed"]
    assert (counts["failed"], failed.reason, failed.path) == (1, "checksum", "Plan")


async def test_one_who_writes_the_same_name_meanwhile_is_not_overwritten(backup, target):
    def race(phase, operation, name):
        if (phase, operation, name) == ("before", "put", "Plan.docx"):
            target.fault = None
            target._create("put", name, b"quicker", hashlib.md5(b"quicker").hexdigest(), "text/plain", {}, None)

    target.fault = race
    await bring_back(backup, target)
    assert target.files() == dict(sorted({**ALL, "Plan.docx": b"quicker", "Plan (2).docx": b"docx bytes"}.items()))


async def test_a_file_in_the_place_of_an_empty_folder_is_left_alone(backup, target):
    await target.put("Empty", b"a file")
    counts, results = await bring_back(backup, target, "replace")
    assert counts["failed"] == 1
    assert [each.path for each in results if each.outcome == "failed"] == ["Empty"]
    assert target.files()["Empty"] == b"a file"


async def test_what_was_never_saved_is_said(backup, target):
    backup.drive.change("plan", modifiedTime="2026-02-03T00:00:00.000Z", capabilities={"canDownload": False})
    await backup.run("2026-03-02", formats={"document": ["docx"]})
    counts, _ = await bring_back(backup, target)
    assert counts["not-saved"] == 1
    assert "Plan.docx" not in target.files()


async def test_what_blob_refuses_of_one_file_fails_that_file_only(backup, target):
    refusal = PermanentError("HTTP 409 BlobImmutableDueToPolicy.", reason="BlobImmutableDueToPolicy")
    await target.put("Plan.docx", b"mine")
    target.fault = lambda phase, operation, name: (
        name == "Plan.docx" and _raise(phase, operation, "before", "put", refusal)
    )
    counts, results = await bring_back(backup, target, "replace")
    assert (counts["failed"], counts["restored"]) == (1, 6)
    assert [each.reason for each in results if each.outcome == "failed"] == ["BlobImmutableDueToPolicy"]


@pytest.mark.parametrize("error", [CredentialsError("no"), ServiceUnavailableError("down", service="blob")])
async def test_what_concerns_the_whole_container_ends_the_restore(backup, target, error):
    target.fault = lambda phase, operation, name: _raise(phase, operation, "before", "put", error)
    with pytest.raises(type(error)):
        await bring_back(backup, target)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
async def test_killed_anywhere_the_next_run_completes_it_and_doubles_nothing(data):
    backup, target = Backup(drive()), MemoryTargetStore()
    await backup.run(formats={"document": ["docx"]})
    conflict = data.draw(st.sampled_from(["copy", "skip", "replace"]))
    left, dies = data.draw(st.integers(0, 40)), data.draw(st.sampled_from(["before", "after"]))

    def fault(phase, operation, name):
        nonlocal left
        left -= phase == dies
        if left < 0:
            raise Killed

    target.fault = fault
    with suppress(Killed, BaseExceptionGroup):
        await bring_back(backup, target, conflict)
    target.fault = None
    for name, content in target.files().items():
        assert ALL[name] == content
    counts, _ = await bring_back(backup, target, conflict)
    assert target.files() == dict(sorted(ALL.items()))
    assert not counts["failed"]


async def test_the_backup_itself_and_any_other_backup_are_no_target(backup, target):
    with pytest.raises(ConfigError, match="holds a backup"):
        await check_target(backup.store, backup.store)
    other = MemoryTargetStore()
    other.blobs = dict(backup.store.blobs)
    for area in ("snapshots/", "content/", "locks/"):
        alone = MemoryTargetStore()
        alone.blobs = {name: each for name, each in other.blobs.items() if name.startswith(area)}
        if area == "locks/":
            await alone.put("locks/user/ann@example.com/0000000001", b"")
        with pytest.raises(ConfigError, match="Restore into another container"):
            await check_target(backup.store, alone)
    target.container = False
    with pytest.raises(ContainerMissingError):
        await check_target(backup.store, target)


async def test_folders_that_are_called_as_those_of_a_backup_are_no_backup(target):
    snapshot = folder("20260301T000000.000Z", file("manifest.json", b"{}"))
    tree = folder("user", folder("ann@example.com", folder("default", snapshot)))
    backup = Backup(FakeDrive(folder("snapshots", tree), folder("content", file("a", b"a")), folder("locks")))
    await backup.run()
    for _ in range(2):
        counts, _ = await bring_back(backup, target)
        assert not counts["failed"]
    assert "snapshots/user/ann@example.com/default/20260301T000000.000Z/manifest.json" in target.files()


@pytest.mark.parametrize(
    ("text", "prefix"), [("", ""), ("/", ""), ("a", "a/"), ("/a/b c/", "a/b c/"), ("contents", "contents/")]
)
def test_a_prefix_may_be_written_with_slashes_or_without(text, prefix):
    assert clean_prefix(text) == prefix
    assert ContainerPlace.parse(f"container/safe/{text}") == ContainerPlace(container="safe", prefix=prefix)


@pytest.mark.parametrize(
    "text", ["content", "snapshots/x", "work", "a//b", "a/../b", "a\\b", "x" * 201, "a/" * 9, "a."]
)
def test_a_prefix_that_cannot_be_is_said(text):
    with pytest.raises(ConfigError):
        clean_prefix(text)


@pytest.mark.parametrize("text", ["container", "container/", "folder/x", ""])
def test_a_place_that_is_none_is_said(text):
    with pytest.raises(ConfigError, match="container/NAME"):
        ContainerPlace.parse(text)


async def test_what_is_archived_fails_as_an_item_and_all_else_is_restored(backup, target):
    [blob] = [name for name in backup.store.blobs if "Plan" in name and name.startswith("content/")]
    await backup.store.set_tier([blob], "archive")
    counts, results = await bring_back(backup, target)
    [failed] = [each for each in results if each.outcome == "failed"]
    assert (failed.path, failed.reason) == ("Plan", "BlobArchived")
    assert counts["restored"] == len(ALL) - 1
