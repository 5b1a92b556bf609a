"""What is written down of persons is never taken for nothing."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import read_people, write_people
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

ANN = "ann@example.com"


class Racing(MemoryBlobStore):
    """Somebody deletes the blobs of people between a listing and the read, ``times`` times."""

    times = 1

    async def read(self, name, *args, **kwargs):
        if name.startswith("people/") and self.times:
            self.times -= 1
            self.blobs.pop(name)
        return await super().read(name, *args, **kwargs)


async def filled(numbers):
    store, clock = Racing(), FakeClock()
    for number in range(numbers):
        assert await write_people(store, number, People([Person(name=ANN, address=ANN)]), "run", clock)
    return store


async def test_where_the_last_blob_is_deleted_meanwhile_the_one_before_it_holds():
    number, people = await read_people(await filled(3))
    assert (number, [person.name for person in people]) == (2, [ANN])


async def test_a_blob_that_is_listed_and_never_there_stops_the_run():
    store = await filled(1)
    [name] = store.blobs

    async def read(*_, **__):
        return None

    store.read = read
    with pytest.raises(CorruptStoreError, match="is listed and cannot be found"):
        await read_people(store)
    assert name in store.blobs
