"""The work area: what one task writes another reads, all of it or an error."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import CorruptStoreError, ServiceUnavailableError
from include.drive_backup.model import CopyResult, Item, StoredContent
from include.drive_backup.work import PartWriter, ResultLog, read_parts, read_results, stream_results
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

PREFIX = "work/user/a/run/token/rows-"


def item(number, **changes):
    return Item(**({"id": f"id{number}", "name": f"file {number}", "mime_type": "text/plain"} | changes))


async def written(store, items, rows_per_part=10_000):
    async with PartWriter[Item](store, PREFIX, rows_per_part) as writer:
        for each in items:
            await writer.write(each)
    return writer.parts


async def read(store, parts=None):
    return [row async for row in read_parts(store, PREFIX, Item, parts=parts)]


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec=None), max_size=20), max_size=30), st.integers(1, 40))
async def test_rows_come_back_in_order_whatever_their_names_are(names, rows_per_part):
    store = MemoryBlobStore()
    items = [item(number, name=name, resource={"name": name}) for number, name in enumerate(names)]
    parts = await written(store, items, rows_per_part)
    assert parts == -(-len(items) // rows_per_part)
    assert await read(store, parts) == items
    assert await read(store) == items


async def test_parts_are_gzipped_json_lines_that_anybody_can_read():
    store = MemoryBlobStore()
    await written(store, [item(1), item(2)])
    name, (data, info) = next(iter(store.blobs.items()))
    assert name == "work/user/a/run/token/rows-00000.jsonl.gz"
    assert info.content_type == "application/gzip"
    lines = [json.loads(line) for line in gzip.decompress(data).splitlines()]
    assert [line["id"] for line in lines] == ["id1", "id2"]


async def test_a_part_that_is_gone_is_an_error_and_not_a_shorter_list():
    store = MemoryBlobStore()
    parts = await written(store, [item(number) for number in range(5)], 2)
    await store.delete([f"{PREFIX}00002.jsonl.gz"])
    with pytest.raises(CorruptStoreError):
        await read(store, parts)


@pytest.mark.parametrize("damage", ["cut", "trailing", "flip", "empty", "half a line"])
async def test_a_damaged_part_is_an_error(damage):
    store, other = MemoryBlobStore(), MemoryBlobStore()
    await written(store, [item(number) for number in range(100)])
    data = store.blobs[f"{PREFIX}00000.jsonl.gz"][0]
    damaged = {
        "cut": data[:-9],
        "trailing": data + b"more",
        "flip": data[:60] + bytes([data[60] ^ 1]) + data[61:],
        "empty": b"",
        "half a line": gzip.compress(gzip.decompress(data)[:-20]),
    }[damage]
    await other.put(f"{PREFIX}00000.jsonl.gz", damaged)
    with pytest.raises(CorruptStoreError):
        await read(other, 1)


async def test_two_writers_of_one_prefix_notice():
    store = MemoryBlobStore()
    await written(store, [item(1)])
    await written(store, [item(1)])
    with pytest.raises(CorruptStoreError, match="another task"):
        await written(store, [item(2)])


async def test_a_writer_that_fails_stores_nothing_more():
    store = MemoryBlobStore()
    with suppress(RuntimeError):
        async with PartWriter[Item](store, PREFIX) as writer:
            await writer.write(item(1))
            raise RuntimeError
    assert store.blobs == {}


def result(number, outcome="copied", fidelity="exact", blob="b"):
    content = StoredContent(blob=blob, format="original", mime_type="a/b", size=1, md5="m", sha256="s")
    return CopyResult(
        item_id=f"id{number}",
        format="original",
        outcome=outcome,
        fidelity=fidelity,
        content=content if outcome == "copied" else None,
    )


def log(store, token="t1", clock=None, **options):
    return ResultLog(store, "plan/results/batch-00001/", token, clock or FakeClock(), **options)


async def test_results_are_stored_in_groups_and_at_the_end_even_after_an_error():
    store = MemoryBlobStore()
    with suppress(RuntimeError):
        async with log(store, rows=2) as results:
            for number in range(5):
                await results.add(result(number))
            assert len(store.blobs) == 2
            raise RuntimeError
    assert len(await read_results(store, "plan/results/batch-00001/")) == 5


async def test_results_do_not_wait_for_a_full_group_for_long():
    store, clock = MemoryBlobStore(), FakeClock()
    async with log(store, clock=clock, seconds=2.0) as results:
        await results.add(result(1))
        assert len(store.blobs) == 0
        await clock.sleep(3)
        await results.add(result(2))
        assert len(store.blobs) == 1


async def test_results_that_cannot_be_stored_are_an_error():
    def fault(phase, operation, name):
        if operation == "put":
            raise ServiceUnavailableError("down", service="blob")

    with pytest.raises(ServiceUnavailableError):
        async with log(MemoryBlobStore(fault=fault)) as results:
            await results.add(result(1))


@pytest.mark.parametrize(
    ("tries", "counts"),
    [
        ([result(1, "failed"), result(1, "unavailable")], result(1, "unavailable")),
        ([result(1, "unavailable"), result(1, "failed")], result(1, "failed")),
        ([result(1, blob="good"), result(1, "failed"), result(1, "unavailable")], result(1, blob="good")),
        ([result(1, "failed"), result(1, blob="good")], result(1, blob="good")),
        ([result(1, blob="b1"), result(1, blob="b2")], result(1, blob="b2")),
        ([result(1, blob="b1"), result(1, fidelity="head-later", blob="b2")], result(1, blob="b1")),
        ([result(1, fidelity="head-later", blob="b2"), result(1, blob="b1")], result(1, blob="b1")),
    ],
)
async def test_of_several_tries_the_last_good_one_counts(tries, counts):
    store = MemoryBlobStore()
    for token, each in zip(("c", "b", "a"), tries, strict=False):
        async with log(store, token) as results:
            await results.add(each)
    assert await read_results(store, "plan/results/batch-00001/") == {("id1", "original"): counts}


async def test_many_parts_of_results_come_in_their_order_and_a_broken_one_among_them_is_an_error():
    store = MemoryBlobStore()
    async with log(store, rows=1) as results:
        for number in range(30):
            await results.add(result(number))
    assert [row.item_id async for row in stream_results(store, "plan/")] == [f"id{number}" for number in range(30)]
    broken = sorted(store.blobs)[20]
    data, info = store.blobs[broken]
    store.blobs[broken] = (data[:-4], info)
    before = asyncio.all_tasks()
    with pytest.raises(CorruptStoreError, match="00020"):
        await read_results(store, "plan/")
    assert asyncio.all_tasks() == before
