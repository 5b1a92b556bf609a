"""Where the account keeps nothing of a blob, the same bytes in another blob of the container are put in its place."""

import hashlib

import msgspec
import pytest

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.repair.run import look, repair
from tests.core.repair.test_repair import SOURCE, apply, blob_of, lock, world
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_repair import MemoryRepairStore
from tests.support.trees import file, native
from tests.support.verified import assert_sound

BOB = "user/bob@example.com"
NOW = FakeClock(at("2026-03-03"))


async def shared_with_bob(store, data=b"aaaa"):
    """Bob has a file of his own with the same bytes, and his own backup of it."""
    before = set(store.blobs)
    await Backup(FakeDrive(file("copy of a.txt", data, id="of-bob")), store).run("2026-03-01", BOB)
    return next(name for name in store.blobs if name.startswith(f"content/{BOB}") and name not in before)


@pytest.mark.parametrize("harm", ["lost", "spoilt", "cut"])
async def test_bytes_that_another_source_has_come_back_as_what_they_were(harm):
    store = await world()
    other = await shared_with_bob(store)
    name = blob_of(store, b"aaaa")
    before, of_bob = store.blobs[name], store.blobs[other]
    store.lose(name) if harm == "lost" else store.spoil(name, b"XXXX" if harm == "spoilt" else b"aa")
    if harm != "lost":
        store.blobs[name] = (store.blobs[name][0], msgspec.structs.replace(store.blobs[name][1], metadata={}))

    found = await look(store, SOURCE, NOW)
    [remedy] = found.remedies
    assert (remedy.how, remedy.earlier.info.name) == ("copy", other)
    assert store.blobs.get(name) != before

    done = await apply(store)
    assert [each.done for each in done.repaired] == [True]
    data, info = store.blobs[name]
    assert (data, info.md5, info.content_type) == (b"aaaa", before[1].md5, before[1].content_type)
    # Nothing of what is said of the other file, such as when it was read, is said of this one.
    assert info.metadata.items() <= before[1].metadata.items()
    assert info.metadata["file_id"] == before[1].metadata["file_id"]
    assert store.blobs[other] == of_bob
    await assert_sound(store)


async def test_the_next_backup_takes_it_for_what_it_is_and_copies_nothing():
    store = await world()
    await shared_with_bob(store)
    store.lose(blob_of(store, b"aaaa"))
    await apply(store)
    drive = FakeDrive(file("a.txt", b"aaaa"), file("b.txt", b"bbbb", id="b"), file("c.txt", b"cccc", id="c"))
    summary = await Backup(drive, store).run("2026-03-04")
    assert (summary["status"], summary["counts"].get("copied", 0)) == ("complete", 0)


async def test_an_export_comes_back_from_another_file_with_its_own_identity():
    store = MemoryRepairStore()
    formats = {"document": ["docx"]}
    await Backup(FakeDrive(native("Plan", content=b"docx bytes", id="plan")), store).run("2026-03-01", formats=formats)
    await Backup(FakeDrive(native("Twin", content=b"docx bytes", id="twin")), store).run(
        "2026-03-01", BOB, formats=formats
    )
    name = next(each for each in store.blobs if each.startswith(f"content/{SOURCE}"))
    before = store.blobs[name][1]
    store.lose(name)
    await apply(store)
    info = store.blobs[name][1]
    assert (info.content_type, info.metadata["file_id"]) == (before.content_type, "plan")
    assert info.metadata.items() <= before.metadata.items()
    await assert_sound(store)


async def test_another_blob_of_the_same_source_will_do():
    """Another generation of the name, and a person's copy that has no metadata."""
    for metadata in ({"sha256": hashlib.sha256(b"bbbb").hexdigest()}, {}):
        store = await world()
        name = blob_of(store, b"bbbb")
        other = name.replace("/b.txt/", "/copies/b.txt/")
        await store.put(other, b"bbbb", metadata=metadata)
        store.lose(name)
        assert [each.done for each in (await apply(store)).repaired] == [True]
        await assert_sound(store)


async def test_a_blob_that_only_says_that_it_has_the_bytes_is_not_taken():
    store = await world()
    name = blob_of(store, b"bbbb")
    lies = {"sha256": hashlib.sha256(b"bbbb").hexdigest(), "size": "4"}
    await store.put(name.replace("/b.txt/", "/lies/b.txt/"), b"XXXX", metadata=lies)
    store.lose(name)
    done = await apply(store)
    assert (done.repaired, [remedy.how for remedy in done.remedies]) == ((), ["none"])
    assert "no other blob of the container has them" in done.remedies[0].why
    assert name not in store.blobs


async def test_one_in_the_archive_is_named():
    store = await world()
    other = await shared_with_bob(store)
    await store.set_tier([other], "archive")
    store.lose(blob_of(store, b"aaaa"))
    [remedy] = (await look(store, SOURCE, NOW)).remedies
    assert remedy.how == "none"
    assert other in remedy.why
    assert "archive" in remedy.why


async def test_what_the_account_keeps_of_the_blob_itself_comes_first():
    store = await world(versions=True)
    await shared_with_bob(store)
    name = blob_of(store, b"aaaa")
    before = store.blobs[name][1].metadata
    store.lose(name)
    [remedy] = (await look(store, SOURCE, NOW)).remedies
    assert remedy.earlier.version is not None
    await apply(store)
    assert store.blobs[name][1].metadata == before


async def test_when_what_was_undeleted_has_other_bytes_another_blob_is_taken_in_the_same_run():
    store = await world(soft_delete=True)
    await shared_with_bob(store)
    name = blob_of(store, b"aaaa")
    store.lose(name)
    store.kept[name] = [(earlier, b"aaaB") for earlier, _ in store.kept[name]]
    done = await apply(store)
    assert [each.done for each in done.repaired] == [False, True]
    assert done.left == ()
    await assert_sound(store)


async def test_a_catalogue_comes_back_from_another_snapshot_with_the_same_bytes():
    store = MemoryRepairStore()
    drive = FakeDrive(file("a.txt", b"aaaa"), file("b.txt", b"bbbb", id="b"))
    for night in ("2026-03-01", "2026-03-02"):
        for job in ("default", "weekly"):
            await Backup(drive, store).run(night, series=job)
    parts = [name for name in store.blobs if "/20260302T000000.000Z/items-" in name]
    assert len({store.blobs[name][0] for name in parts}) == 1
    store.lose(parts[0])
    done = await repair(store, SOURCE, lock(store), NOW)
    assert [(each.remedy.blob, each.done) for each in done.repaired] == [(parts[0], True)]
    assert store.blobs[parts[0]][0] == store.blobs[parts[1]][0]
    assert await SnapshotRepository(store).names(Series(source=Source.parse(str(SOURCE)), name="default"))
    await assert_sound(store)
