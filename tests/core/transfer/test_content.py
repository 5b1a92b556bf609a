"""One content version: checked before it is stored, and followed when it changes."""

import hashlib

import pytest
from msgspec.structs import replace

from include.drive_backup.blob.metadata import stored_file
from include.drive_backup.blob.names import content_blob, content_id, extension_of
from include.drive_backup.errors import BrokenBodyError, CorruptStoreError, ItemChangedError, ServiceUnavailableError
from include.drive_backup.model import CopyOrder, Item, Source
from include.drive_backup.transfer.budget import MemoryBudget
from include.drive_backup.transfer.content import ContentCopier
from include.drive_backup.transfer.upload import BLOCK_SIZE
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at, cut, flipped, short
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, native

SOURCE = Source.parse("user/ann@example.com")
T = at("2026-03-01")
BYTES = b"the bytes of a file" * 100


def order_for(drive: FakeDrive, ident="f1", fmt="original", mime=None) -> CopyOrder:
    item = Item.from_resource(drive.items[ident])
    blob = content_blob(SOURCE, ("A",), item.name, item.modified, content_id(item, fmt), extension_of(item.name, fmt))
    return CopyOrder(item=item, path=f"A/{item.name}", blob=blob, format=fmt, export_mime_type=mime)


def doc_order(drive):
    return order_for(drive, fmt="pdf", mime="application/pdf")


def copier(drive, store, clock=None) -> ContentCopier:
    memory = MemoryBudget(2**28)
    return ContentCopier(drive, store, clock=clock or FakeClock(), instant=T, memory=memory, chance=lambda: 0.5)


async def copy(drive, order, store):
    return await copier(drive, store).copy(order)


@pytest.mark.parametrize("length", [0, 1, 1000, BLOCK_SIZE + 1])
async def test_a_file_is_stored_with_what_proves_it(length):
    content = bytes(range(256)) * (length // 256) + bytes(length % 256)
    drive, store = FakeDrive(file("a.txt", content)), MemoryBlobStore()
    order = order_for(drive)
    result = await copy(drive, order, store)
    data, info = store.blobs[order.blob]
    assert data == content
    assert result.outcome == "copied"
    assert result.content == stored_file(info).content
    assert result.content.sha256 == hashlib.sha256(content).hexdigest()
    assert result.downloaded == length
    assert result.resource is None
    assert stored_file(info).file_id == "f1"


@pytest.mark.parametrize("damage", [cut, short, flipped, lambda content: content + b"more", lambda content: b""])
async def test_damaged_bytes_are_read_again_and_never_stored(damage):
    drive, store, clock = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore(), FakeClock()
    drive.bodies["f1"] = [damage, damage]
    result = await copier(drive, store, clock).copy(order_for(drive))
    assert store.blobs[result.content.blob][0] == BYTES
    assert len(store.blobs) == 1
    assert drive.reads["f1"] == 3
    assert len(clock.slept) == 2


async def test_a_body_without_end_is_left_as_soon_as_it_is_longer_than_it_should_be():
    drive, store = FakeDrive(file("a.txt", BYTES), piece=100), MemoryBlobStore()
    drive.bodies["f1"] = [lambda content: content * 1000]
    result = await copy(drive, order_for(drive), store)
    assert result.downloaded < 2 * len(BYTES) + 200
    assert store.blobs[result.content.blob][0] == BYTES


async def test_waits_between_reads_grow():
    drive, clock = FakeDrive(file("a.txt", BYTES)), FakeClock()
    drive.bodies["f1"] = [cut] * 3
    await copier(drive, MemoryBlobStore(), clock).copy(order_for(drive))
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[2] > 2 * clock.slept[0]


@pytest.mark.parametrize("known", ["md5Checksum", "sha256Checksum", "size"])
async def test_each_single_thing_that_drive_knows_is_checked(known):
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    for each in {"md5Checksum", "sha256Checksum", "size"} - {known}:
        del drive.items["f1"][each]
    drive.bodies["f1"] = [short] * 9
    with pytest.raises(BrokenBodyError):
        await copy(drive, order_for(drive), store)
    assert store.blobs == {}


async def test_bytes_that_never_match_are_never_stored_and_the_reason_is_told():
    drive, store = FakeDrive(file("photo.jpg", BYTES, md5Checksum="0" * 32)), MemoryBlobStore()
    with pytest.raises(BrokenBodyError, match=r"same bytes of 'photo.jpg' each time.*Google Photos") as caught:
        await copy(drive, order_for(drive), store)
    assert caught.value.reason == "checksumMismatch"
    assert store.blobs == {}
    assert drive.reads["f1"] == 4


async def test_a_file_that_changed_since_the_listing_is_copied_as_it_is_now():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    drive.write("f1", b"new bytes", "2026-02-20T00:00:00.000Z")
    result = await copy(drive, order, store)
    # The listing, which began after the instant, showed another version.
    assert result.fidelity == "head-later"
    assert result.content.blob != order.blob
    assert store.blobs[result.content.blob][0] == b"new bytes"
    assert order.blob not in store.blobs
    assert result.resource["md5Checksum"] == hashlib.md5(b"new bytes").hexdigest()
    assert store.blobs[result.content.blob][1].metadata["modified"] == "20260220T000000.000Z"


async def test_a_change_after_the_instant_is_said():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    drive.write("f1", b"new bytes", "2026-03-01T00:00:00.001Z")
    assert (await copy(drive, order, store)).fidelity == "head-later"


async def test_a_file_that_is_only_renamed_meanwhile_is_not_read_twice():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    drive.change("f1", name="b.txt")
    assert (await copy(drive, order, store)).content.blob == order.blob
    assert drive.reads["f1"] == 1
    assert not any(call.startswith("get") for call in drive.calls)


async def test_a_file_without_checksums_that_changes_during_the_read_is_read_again():
    bare = {"md5Checksum": None, "sha256Checksum": None, "size": None}
    drive, store = FakeDrive(file("a.txt", BYTES, **bare)), MemoryBlobStore()
    order = order_for(drive)

    def change(ident):
        drive.during_read = None
        drive.items[ident]["headRevisionId"] = "r2"
        drive.contents[ident] = b"new"

    drive.during_read = change
    result = await copy(drive, order, store)
    assert store.blobs[result.content.blob][0] == b"new"
    assert len(store.blobs) == 1


async def test_a_document_that_is_edited_during_the_export_is_exported_again():
    drive, store = FakeDrive(native("Plan", content=b"draft")), MemoryBlobStore()
    order = doc_order(drive)

    def edit(ident):
        drive.during_read = None
        drive.write(ident, b"final", "2026-02-20T00:00:00.000Z")

    drive.during_read = edit
    result = await copy(drive, order, store)
    assert store.blobs[result.content.blob][0] == b"final"
    assert result.resource["modifiedTime"] == "2026-02-20T00:00:00.000Z"
    assert len(store.blobs) == 1
    assert result.content.format == "pdf"
    assert result.content.mime_type == "application/pdf"


async def test_a_document_that_never_rests_is_left_for_later():
    drive, store = FakeDrive(native("Plan")), MemoryBlobStore()
    order = doc_order(drive)
    drive.during_read = lambda ident: drive.write(ident, b"x", f"2026-02-20T00:00:{drive.reads[ident]:02d}.000Z")
    with pytest.raises(ItemChangedError):
        await copy(drive, order, store)
    assert store.blobs == {}


async def test_opening_a_document_is_no_change():
    drive, store = FakeDrive(native("Plan")), MemoryBlobStore()
    drive.during_read = lambda ident: drive.change(ident, viewedByMe=True)
    assert (await copy(drive, doc_order(drive), store)).outcome == "copied"
    assert drive.reads["f1"] == 1


async def test_a_file_that_is_gone_is_unavailable():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    drive.delete("f1")
    result = await copy(drive, order, store)
    assert (result.outcome, result.reason, result.fidelity) == ("unavailable", "notFound", "unavailable")
    assert result.content is None


async def test_a_file_that_is_deleted_during_the_read_is_unavailable():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    drive.bodies["f1"] = [short]
    drive.during_read = drive.delete
    assert (await copy(drive, order_for(drive), store)).reason == "notFound"
    assert store.blobs == {}


async def test_what_another_run_stored_counts():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    first = await copy(drive, order_for(drive), store)
    again = await copy(drive, order_for(drive), store)
    assert again.content == first.content


async def test_of_two_exports_of_one_version_the_first_stays():
    drive, store = FakeDrive(native("Plan", content=b"zip at noon")), MemoryBlobStore()
    first = await copy(drive, doc_order(drive), store)
    drive.contents["f1"] = b"zip at one"
    again = await copy(drive, doc_order(drive), store)
    assert again.content == first.content
    assert store.blobs[again.content.blob][0] == b"zip at noon"


async def test_other_bytes_under_the_name_are_an_alarm():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    await store.put(order.blob, b"something else")
    with pytest.raises(CorruptStoreError) as caught:
        await copy(drive, order, store)
    assert order.blob in str(caught.value)
    assert store.blobs[order.blob][0] == b"something else"


async def test_trouble_with_blob_is_not_hidden():
    def fault(phase, operation, name):
        if operation == "put":
            raise ServiceUnavailableError("Blob is down.", service="blob")

    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore(fault=fault)
    with pytest.raises(ServiceUnavailableError):
        await copy(drive, order_for(drive), store)
    assert drive.reads["f1"] == 1


@pytest.mark.parametrize(
    ("mime", "kept"),
    [
        ("image/png", "image/png"),
        ("a b", "application/octet-stream"),
        ("text/ü", "application/octet-stream"),
        ("x/y\r\nz: 1", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
async def test_a_mime_type_that_no_header_can_carry_is_replaced(mime, kept):
    drive, store = FakeDrive(file("a", BYTES, mimeType=mime)), MemoryBlobStore()
    result = await copy(drive, order_for(drive), store)
    assert store.blobs[result.content.blob][1].content_type == result.content.mime_type == kept


async def test_what_an_earlier_try_stored_is_found_unless_it_is_damaged():
    drive, store = FakeDrive(file("a.txt", BYTES)), MemoryBlobStore()
    order = order_for(drive)
    found = copier(drive, store)
    assert await found.already_stored(order) is None
    result = await copy(drive, order, store)
    assert await found.already_stored(order) == result.content
    assert await found.still_stored(result.content)
    changed = replace(order, item=replace(order.item, md5="0" * 32))
    assert await found.already_stored(changed) is None
    data, info = store.blobs[order.blob]
    store.blobs[order.blob] = (data[:-1], replace(info, size=len(data) - 1))
    assert await found.already_stored(order) is None
    assert not await found.still_stored(result.content)


@pytest.mark.parametrize(
    ("bare", "checked"),
    [
        ({}, "checksum"),
        ({"sha256Checksum": None}, "checksum"),
        ({"md5Checksum": None, "sha256Checksum": None}, "length"),
        ({"md5Checksum": None, "sha256Checksum": None, "size": None}, "nothing"),
    ],
)
async def test_what_a_file_was_held_against_is_written_down(bare, checked):
    drive, store = FakeDrive(file("a.txt", BYTES, **bare)), MemoryBlobStore()
    drive.checked = "nothing"
    result = await copy(drive, order_for(drive), store)
    assert result.content.checked == checked
    assert stored_file(store.blobs[result.content.blob][1]).content == result.content


async def test_what_the_check_of_an_export_was_worth_is_written_down():
    drive, store = FakeDrive(native("Plan", content=b"bytes")), MemoryBlobStore()
    drive.checked = "whole"
    result = await copy(drive, doc_order(drive), store)
    assert result.content.checked == "whole"
    assert store.blobs[result.content.blob][1].metadata["checked"] == "whole"
