"""A listing is written as it comes, and says honestly what it is."""

import pytest

from include.drive_backup.errors import ServiceUnavailableError, SourceNotFoundError
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing import list_source, listing_prefix
from include.drive_backup.model import Item
from include.drive_backup.work import read_parts
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import ROOT, file, folder

TASK = SourceTask(source="user/ann@example.com", instant="20260301T000000.000Z", run="run 1/ä")


async def listed(store, listing):
    return [item async for item in read_parts(store, listing_prefix(listing.work), Item, parts=listing.parts)]


async def test_everything_is_listed_with_its_whole_resource():
    drive, store = FakeDrive(folder("A", file("x", b"abc", description="why")), file("y", b"12345")), MemoryBlobStore()
    listing = await list_source(drive, store, TASK, FakeClock())
    found = await listed(store, listing)
    assert [item.resource for item in found] == list(drive.items.values())
    assert (listing.items, listing.bytes, listing.complete) == (3, 8, True)
    assert (listing.root_id, listing.change_token, listing.started) == (ROOT, "token-3", "20260301T000000.000Z")
    assert listing.use.units == 100


async def test_the_change_token_is_taken_before_the_listing():
    drive = FakeDrive()
    await list_source(drive, MemoryBlobStore(), TASK, FakeClock())
    assert drive.calls.index("change_token") < drive.calls.index("list_items")


async def test_an_incomplete_listing_says_so():
    drive = FakeDrive(file("x"))
    drive.incomplete = True
    assert not (await list_source(drive, MemoryBlobStore(), TASK, FakeClock())).complete


async def test_each_try_writes_to_a_place_of_its_own():
    drive, store = FakeDrive(file("x")), MemoryBlobStore()
    first = await list_source(drive, store, TASK, FakeClock())
    drive.delete("f1")
    second = await list_source(drive, store, TASK, FakeClock())
    assert len(await listed(store, first)) == 1
    assert await listed(store, second) == []


async def test_a_listing_that_breaks_off_is_no_listing():
    class Breaking(FakeDrive):
        async def list_items(self, source):
            async for page in super().list_items(source):
                yield page
                raise ServiceUnavailableError("Drive is down.", service="drive")

    with pytest.raises(ServiceUnavailableError):
        await list_source(Breaking(file("x")), MemoryBlobStore(), TASK, FakeClock())


async def test_a_folder_in_the_trash_is_refused():
    drive = FakeDrive(folder("Old", id="old", trashed=True))
    task = SourceTask(source="folder/old", instant=TASK.instant, run="r")
    with pytest.raises(SourceNotFoundError, match="trash"):
        await list_source(drive, MemoryBlobStore(), task, FakeClock())
