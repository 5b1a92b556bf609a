"""Finding the snapshot that a reader wants."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import CorruptStoreError, SnapshotNotFoundError
from include.drive_backup.manifest import catalogue
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from tests.core.manifest.plans import ANN, commit, row
from tests.support.memory_blob import MemoryBlobStore

SERIES = Series(source=ANN)
DAYS = [f"202611{day}T000000.000Z" for day in (20, 21, 22)]


@pytest.fixture
async def store():
    """Complete, partial, complete and then partial again."""
    store = MemoryBlobStore()
    await commit(store, [row("a", "metadata")], instant=DAYS[0], token="d0")
    await commit(store, [row("a", copies=1)], instant=DAYS[1], token="d1")
    await commit(store, [row("a", "metadata")], instant=DAYS[2], token="d2")
    await commit(store, [row("a", copies=1)], instant=DAYS[2], token="d3")
    return store


async def test_the_latest_is_the_newest_complete_one_not_after_the_instant(store):
    repository = SnapshotRepository(store)
    assert [(name.instant, name.generation) for name in await repository.names(ANN)] == [
        (DAYS[0], 1),
        (DAYS[1], 1),
        (DAYS[2], 1),
        (DAYS[2], 2),
    ]
    assert (await repository.latest(SERIES, DAYS[2])).name.generation == 1
    assert (await repository.latest(SERIES, DAYS[2], complete_only=False)).name.generation == 2
    assert (await repository.latest(SERIES, DAYS[1])).instant == DAYS[0]
    assert (await repository.latest(SERIES, DAYS[1], complete_only=False)).instant == DAYS[1]
    assert await repository.latest(SERIES, "20261119T000000.000Z") is None


async def test_the_base_has_a_complete_listing_and_is_of_an_earlier_instant(store):
    repository = SnapshotRepository(store)
    base = "snapshots/user/ann@example.com/default/{}/manifest.json"
    # Only content failed on the second day: what the source held is known.
    assert await repository.base_for(SERIES, DAYS[2]) == base.format(DAYS[1])
    assert await repository.base_for(SERIES, DAYS[1]) == base.format(DAYS[0])
    assert await repository.base_for(SERIES, DAYS[0]) is None


async def test_what_drive_did_not_list_completely_is_no_base(store):
    repository = SnapshotRepository(store)
    await commit(store, [row("a", "metadata")], instant="20261121T120000.000Z", token="d4", complete=False)
    assert (await repository.before(SERIES, DAYS[2])).instant == DAYS[1]
    assert (await repository.last_try(SERIES, DAYS[2])).instant == "20261121T120000.000Z"


async def test_of_one_instant_the_base_is_what_readers_take(store):
    repository = SnapshotRepository(store)
    assert (await repository.before(SERIES, "2027")).name.generation == 1
    assert (await repository.last_try(SERIES, "2027")).name.generation == 2
    await store.delete([(await repository.before(SERIES, "2027")).name.manifest])
    assert (await repository.before(SERIES, "2027")).name.generation == 2


async def test_a_damaged_manifest_is_reported_but_no_reason_to_stop_backing_up(store):
    repository = SnapshotRepository(store)
    name = (await repository.names(ANN))[0]
    for damage in (
        b"",
        b"{}",
        (await store.read(name.manifest)).replace(b'"format_version": 1', b'"format_version": 9'),
    ):
        await store.delete([name.manifest])
        await store.put(name.manifest, damage)
        with pytest.raises(CorruptStoreError):
            await repository.read(name)
        assert await repository.base_for(SERIES, DAYS[1]) is None


async def test_a_manifest_that_was_moved_is_noticed(store):
    repository = SnapshotRepository(store)
    one, two, *_ = await repository.names(ANN)
    data = await store.read(two.manifest)
    await store.delete([one.manifest])
    await store.put(one.manifest, data)
    with pytest.raises(CorruptStoreError, match="speaks of"):
        await repository.read(one)


async def test_catalogues_of_many_parts_come_back_whole_and_in_order(monkeypatch):
    monkeypatch.setattr(catalogue, "GROUP_ROWS", 3)
    monkeypatch.setattr(catalogue, "PART_ROWS", 6)
    store = MemoryBlobStore()
    await commit(store, [row(f"r{number:02d}", "metadata") for number in range(20)])
    manifest = await SnapshotRepository(store).latest(SERIES, "2027")
    assert [part.rows for part in manifest.parts] == [6, 6, 6, 2]
    rows = [found async for found in read_rows(store, manifest, ["item_id"])]
    assert rows == [{"item_id": f"r{number:02d}"} for number in range(20)]


@pytest.mark.parametrize("damage", [None, b"PAR1", "other"])
async def test_a_damaged_catalogue_is_reported_before_its_first_row(store, damage):
    repository = SnapshotRepository(store)
    manifest = await repository.latest(SERIES, DAYS[0])
    blob = manifest.parts[0].blob
    other = await store.read(blob.replace(DAYS[0], DAYS[1]))
    await store.delete([blob])
    if damage is not None:
        await store.put(blob, other if damage == "other" else damage)
    with pytest.raises(CorruptStoreError, match=r"items-00000\.parquet"):
        await anext(read_rows(store, manifest))


async def test_a_person_finds_a_snapshot_by_latest_id_or_time(store):
    repository = SnapshotRepository(store)
    assert await repository.sources() == [ANN]
    assert (await repository.find(ANN)).name.ident == DAYS[2]
    assert (await repository.find(ANN, f"{DAYS[2]}.2")).status == "partial"
    assert (await repository.find(ANN, DAYS[1])).status == "partial"
    assert (await repository.find(ANN, "2026-11-21T12:00")).name.ident == DAYS[0]
    assert (await repository.find(ANN, "2026-11-22T01:00+01:00")).name.ident == DAYS[2]
    assert (await repository.find(ANN, "2026-11-22T00:59+01:00")).name.ident == DAYS[0]


@pytest.mark.parametrize(
    ("source", "which", "words"),
    [
        ("user/ann@example.com", "2026-11-19", DAYS[0]),
        ("user/ann@example.com", "yesterday", "2026-11-23T18:00"),
        ("user/bob@example.com", "latest", "user/ann@example.com"),
    ],
)
async def test_who_finds_none_is_told_what_there_is(store, source, which, words):
    with pytest.raises(SnapshotNotFoundError, match=words.replace("+", r"\+")):
        await SnapshotRepository(store).find(Source.parse(source), which)
