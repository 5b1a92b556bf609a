"""What was lost or spoilt comes back from what the account keeps, checked by hash, and nothing good is written over."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from include.drive_backup.damage import load_damaged
from include.drive_backup.errors import CredentialsError, SourceBusyError
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.ports import Earlier
from include.drive_backup.repair.run import look, repair
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_repair import MemoryRepairStore
from tests.support.trees import file
from tests.support.verified import assert_sound

SOURCE = Source.parse("user/ann@example.com")
KINDS = [{"versions": True}, {"soft_delete": True}]
ids = {"ids": lambda kind: next(iter(kind))}


async def world(**kind) -> MemoryRepairStore:
    """Two snapshots of three files, the second one of which is of the second only."""
    store = MemoryRepairStore(**kind)
    drive = FakeDrive(file("a.txt", b"aaaa"), file("b.txt", b"bbbb", id="b"))
    backup = Backup(drive, store)
    await backup.run("2026-03-01")
    drive.add(file("c.txt", b"cccc", id="c"))
    await backup.run("2026-03-02")
    return store


def blob_of(store, data):
    return next(name for name, (bytes_, _) in store.blobs.items() if bytes_ == data and name.startswith("content/"))


def lock(store, holder="drive-backup repair 1"):
    return SourceLock(store, SOURCE, holder)


async def apply(store):
    return await repair(store, SOURCE, lock(store), FakeClock(at("2026-03-03")))


def state(store):
    return {name: (data, info) for name, (data, info) in store.blobs.items() if not name.startswith("locks/")}


@pytest.mark.parametrize("kind", KINDS, **ids)
@pytest.mark.parametrize("harm", ["lost", "spoilt", "cut"])
async def test_a_content_comes_back_and_its_snapshots_are_whole_again(kind, harm):
    store = await world(**kind)
    name = blob_of(store, b"aaaa")
    before = store.blobs[name]
    store.lose(name) if harm == "lost" else store.spoil(name, b"XXXX" if harm == "spoilt" else b"aa")
    harmed = state(store)

    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    assert [remedy.how == "none" for remedy in found.remedies] == [False]
    assert [ident[:8] for ident in found.whole] == ["20260302", "20260301"]
    assert (found.left, found.repaired) == ((), ())
    assert state(store) == harmed

    done = await apply(store)
    assert [each.done for each in done.repaired] == [True]
    assert [ident[:8] for ident in done.whole] == ["20260302", "20260301"]
    data, info = store.blobs[name]
    assert (data, info.md5, info.metadata, info.content_type) == (
        b"aaaa",
        before[1].md5,
        before[1].metadata,
        before[1].content_type,
    )
    await assert_sound(store)

    # Nothing that came back with it keeps retention from deleting it one day.
    assert not any(each.snapshot and not each.deleted for each in await store.earlier(name))

    again = await apply(store)
    assert (again.remedies, again.repaired) == ((), ())
    assert store.blobs[name] == (data, info)


@pytest.mark.parametrize("kind", KINDS, **ids)
async def test_a_catalogue_comes_back_and_what_it_names_with_it(kind):
    store = await world(**kind)
    part = next(name for name in store.blobs if name.endswith("items-00000.parquet") and "20260302" in name)
    content = blob_of(store, b"cccc")
    store.lose(part)
    store.lose(content)

    done = await apply(store)
    assert {each.remedy.blob for each in done.repaired if each.done} == {part, content}
    assert done.left == ()
    await assert_sound(store)


@pytest.mark.parametrize("kind", KINDS, **ids)
async def test_only_bytes_with_the_right_hash_are_put_back(kind):
    store = await world(**kind)
    name = blob_of(store, b"aaaa")
    store.spoil(name, b"XXXX")
    store.kept[name] = [(earlier, b"aaaB") for earlier, _ in store.kept[name]]
    before = state(store)

    done = await apply(store)
    assert [each.done for each in done.repaired] in ([], [False])
    assert done.whole == ()
    assert store.blobs[name] == before[name]


async def test_where_the_account_keeps_nothing_that_is_said():
    store = await world()
    store.lose(blob_of(store, b"bbbb"))
    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    assert [remedy.how for remedy in found.remedies] == ["none"]
    assert "keeps no" in found.remedies[0].why
    assert [ident[:8] for ident in found.left] == ["20260302", "20260301"]


@pytest.mark.parametrize("kind", KINDS, **ids)
async def test_of_two_damages_one_of_which_stays_the_right_snapshots_are_whole(kind):
    store = await world(**kind)
    store.lose(blob_of(store, b"aaaa"))
    lost = blob_of(store, b"cccc")
    store.lose(lost)
    store.kept.pop(lost)
    done = await apply(store)
    assert [ident[:8] for ident in done.whole] == ["20260301"]
    assert [ident[:8] for ident in done.left] == ["20260302"]


@pytest.mark.parametrize("kind", KINDS, **ids)
async def test_the_record_of_a_loss_is_closed(kind):
    store = await world(**kind)
    name = blob_of(store, b"aaaa")
    store.lose(name)
    await verify_source(store, await choose(store, SOURCE), "listing", now=datetime.now(UTC), keep_records=True)
    sha256 = hashlib.sha256(b"aaaa").hexdigest()
    assert (await load_damaged(store, SOURCE)).open_loss(name, sha256) is not None
    await apply(store)
    assert (await load_damaged(store, SOURCE)).open_loss(name, sha256) is None


@pytest.mark.parametrize("kind", KINDS, **ids)
async def test_what_only_reading_showed_and_is_on_record_is_repaired(kind):
    store = await world(**kind)
    name = blob_of(store, b"aaaa")
    store.spoil(name, b"XXXX")
    info = store.blobs[name][1]
    # The bytes rotted: length and Content-MD5 say what they always said.
    store.blobs[name] = (b"XXXX", msgspec.structs.replace(info, md5=hashlib.md5(b"aaaa").hexdigest()))
    assert (await look(store, SOURCE, FakeClock(at("2026-03-03")))).remedies == ()
    await verify_source(store, await choose(store, SOURCE), "all", now=datetime.now(UTC), keep_records=True)
    done = await apply(store)
    assert [each.done for each in done.repaired] == [True]
    await assert_sound(store)


async def test_a_blob_that_somebody_wrote_meanwhile_is_left_alone():
    store = await world(versions=True)
    name = blob_of(store, b"aaaa")
    store.spoil(name, b"XXXX")

    def strike(phase, operation, blob):
        if (phase, operation, blob) == ("before", "put", name):
            store.fault = None
            store.spoil(name, b"YYYY")

    store.fault = strike
    done = await apply(store)
    assert [each.done for each in done.repaired] == [False]
    assert "meanwhile" in done.repaired[0].why
    assert store.blobs[name][0] == b"YYYY"


async def test_another_good_content_under_the_name_is_never_written_over():
    """An export that was lost, and made anew under the same name: newer snapshots need the new one."""
    store = await world(versions=True)
    name = blob_of(store, b"aaaa")
    store.lose(name)
    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    await store.put(name, b"new bytes")
    from include.drive_backup.repair.mend import mend

    done = await mend(store, found.remedies[0], lambda: None)
    assert (done.done, store.blobs[name][0]) == (False, b"new bytes")


async def test_a_backup_at_work_keeps_a_repair_from_beginning_and_the_other_way_round():
    store = await world(versions=True)
    store.lose(blob_of(store, b"aaaa"))
    other = lock(store, "google_drive_backup/scheduled")
    await other.take()
    before = state(store)
    with pytest.raises(SourceBusyError):
        await apply(store)
    assert state(store) == before
    await other.give_back()
    assert [each.done for each in (await apply(store)).repaired] == [True]


async def test_a_lost_lock_ends_a_repair_before_it_writes():
    store = await world(versions=True)
    store.lose(blob_of(store, b"aaaa"))
    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    from include.drive_backup.repair.mend import mend

    def lost():
        raise SourceBusyError("The lock was lost.")

    before = state(store)
    with pytest.raises(SourceBusyError):
        await mend(store, found.remedies[0], lost)
    assert state(store) == before


async def test_a_credential_that_may_only_read_changes_nothing():
    store = await world(soft_delete=True)
    store.lose(blob_of(store, b"aaaa"))

    def refuse(phase, operation, name):
        if operation in ("put", "stage", "commit", "undelete"):
            raise CredentialsError("HTTP 403 AuthorizationPermissionMismatch.")

    store.fault = refuse
    assert [each.how for each in (await look(store, SOURCE, FakeClock(at("2026-03-03")))).remedies] == ["undelete"]
    with pytest.raises(CredentialsError):
        await apply(store)


async def test_an_older_version_in_the_archive_is_named():
    store = await world(versions=True)
    name = blob_of(store, b"aaaa")
    store.lose(name)
    earlier, data = store.kept[name][0]
    archived = Earlier(info=msgspec.structs.replace(earlier.info, tier="archive"), version=earlier.version)
    store.kept[name] = [(archived, data)]
    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    assert "archive" in found.remedies[0].why


async def test_a_manifest_that_cannot_be_read_is_no_guess():
    store = await world(versions=True)
    manifest = next(name for name in store.blobs if name.endswith("20260301T000000.000Z/manifest.json"))
    store.spoil(manifest, b"{")
    found = await look(store, SOURCE, FakeClock(at("2026-03-03")))
    assert [remedy.how for remedy in found.remedies] == ["none"]
    assert await SnapshotRepository(store).names(SOURCE)
