"""Bytes of any length become one blob, in pieces of any size."""

import hashlib
import random

import pytest

from include.drive_backup.errors import ServiceUnavailableError
from include.drive_backup.transfer.upload import BLOCK_SIZE, MAX_BLOCKS, Upload, block_size, memory_of
from tests.support.memory_blob import MemoryBlobStore

NAME = "content/user/ann@example.com/a.bin/20260101T000000.000Z-0123456789abcdef.bin"


async def upload(store, content, cuts=(), size=None):
    async with Upload(store, NAME, size) as target:
        for start, end in zip((0, *cuts), (*cuts, len(content)), strict=True):
            await target.write(content[start:end])
        created = await target.commit(content_type="text/plain", metadata={})
    return target, created


@pytest.mark.parametrize(
    "length", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 2 * BLOCK_SIZE, 2 * BLOCK_SIZE + 5]
)
async def test_what_is_written_is_stored(length):
    content = random.Random(length).randbytes(length)
    cuts = sorted(random.Random(1).sample(range(length), min(20, length)))
    store = MemoryBlobStore()
    target, created = await upload(store, content, cuts)
    data, info = store.blobs[NAME]
    assert created
    assert data == content
    assert info.md5 == target.md5 == hashlib.md5(content).hexdigest()
    assert target.sha256 == hashlib.sha256(content).hexdigest()
    assert target.size == length


async def test_up_to_a_block_it_is_one_request():
    store = MemoryBlobStore()
    await upload(store, bytes(BLOCK_SIZE))
    assert (store.calls["put"], store.calls["stage"]) == (1, 0)


async def test_a_taken_name_is_left_as_it_is():
    store = MemoryBlobStore()
    await store.put(NAME, b"first")
    for content in (b"second", bytes(BLOCK_SIZE + 1)):
        _, created = await upload(store, content)
        assert not created
        assert store.blobs[NAME][0] == b"first"


async def test_two_uploads_of_one_name_never_mix():
    store = MemoryBlobStore()
    ones, twos = b"1" * (2 * BLOCK_SIZE), b"2" * (2 * BLOCK_SIZE)
    async with Upload(store, NAME, None) as first, Upload(store, NAME, None) as second:
        for start in range(0, len(ones), BLOCK_SIZE):
            await first.write(ones[start : start + BLOCK_SIZE])
            await second.write(twos[start : start + BLOCK_SIZE])
        assert await first.commit(content_type="text/plain", metadata={})
        assert not await second.commit(content_type="text/plain", metadata={})
    assert store.blobs[NAME][0] == ones


async def test_a_block_that_fails_is_noticed():
    def fault(phase, operation, name):
        if (phase, operation) == ("before", "stage"):
            raise ServiceUnavailableError("Blob is down.", service="blob")

    store = MemoryBlobStore(fault=fault)
    with pytest.raises(ServiceUnavailableError):
        await upload(store, bytes(3 * BLOCK_SIZE))
    assert store.blobs == {}


def test_the_largest_file_of_drive_fits_into_the_blocks_of_a_blob():
    largest = 5_497_558_138_880
    assert largest / block_size(largest) <= MAX_BLOCKS
    assert block_size(None) == block_size(10) == BLOCK_SIZE


def test_memory_is_known_before():
    assert memory_of(10) == 20
    assert memory_of(None) == memory_of(10**9) == 2 * BLOCK_SIZE
