"""One odd thing among those that we store ourselves, or that somebody put beside them, stops only itself."""

import gzip
import hashlib
import os
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from include.drive_backup.blob.metadata import stored_file
from include.drive_backup.blob.names import (
    SnapshotName,
    content_prefix,
    hold_name,
    lock_prefix,
    parse_content,
    parse_snapshot,
    stopped_name,
    verified_prefix,
)
from include.drive_backup.blob.pages import read_page
from include.drive_backup.damage import load_damaged
from include.drive_backup.errors import CorruptStoreError, SourceBusyError
from include.drive_backup.events.emitter import Emitter
from include.drive_backup.events.outbox import PREFIX, Outbox
from include.drive_backup.events.spool import LocalSpool
from include.drive_backup.journal import Journal, Record, read_journal
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.planning.stored import load_stored
from include.drive_backup.ports import BlobInfo
from include.drive_backup.protection import read_records
from include.drive_backup.quota.claims import ClaimBoard
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.spent import read_sums
from include.drive_backup.stopped import find_stopped, state_of
from include.drive_backup.verification.sample import due
from tests.core.events.support import RecordingSink, event, subjects
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file

ANN = Source.parse("user/ann@example.com")
ODD_WORDS = ["nan", "inf", "-inf", "-1", "0", "1e-300", "1e999", "fast", "", "9" * 5000, "\u0663"]


@pytest.fixture
def store():
    return MemoryBlobStore()


def put_odd(store, name, data=b"", **metadata):
    """Whatever somebody put there, also what our own software could not."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store.blobs[name] = (data, BlobInfo(name=name, size=len(data), md5=md5, metadata=metadata, modified=now))


# quota


@pytest.mark.parametrize("word", ODD_WORDS)
async def test_a_claim(store, word):
    put_odd(store, "quota/c/claims/odd", pace=word, want_units=word, want_queries=word, want_bytes=word)
    put_odd(store, "quota/c/claims/abc-00000001", pace="0.5000", want_units="7")
    board = ClaimBoard(store, "quota/c/claims/", FakeClock(datetime(2026, 3, 1, tzinfo=UTC)), 15)
    good, odd = sorted((each.claim for each in await board.read()), key=lambda claim: claim.token == "")
    assert (good.pace, good.wants) == (0.5, {"units": 7})
    assert 1 / 64 <= odd.pace <= 1
    assert odd.wants in ({}, {"units": 0, "queries": 0, "bytes": 0})


@pytest.mark.parametrize("word", ODD_WORDS)
async def test_a_sum_of_the_day(store, word):
    put_odd(store, "quota/c/days/2026-03-01/odd-00000001", units=word, calls=word, bytes=word)
    put_odd(store, "quota/c/days/2026-03-01/good-00000001", units="7")
    assert sorted(spent.units for spent, _ in await read_sums(store, "quota/c/days/2026-03-01/")) == [0, 7]


# locks


@pytest.mark.parametrize(
    "name",
    ["readme.txt", "12", "99999999999", "x/0000000007", "000000000\u0663", "9999999999", "0999999999"],
)
async def test_a_blob_among_the_words_on_a_lock(store, name, caplog):
    put_odd(store, f"{lock_prefix(ANN)}{name}")
    one, two = SourceLock(store, ANN, "run/one"), SourceLock(store, ANN, "run/two")
    await one.take()
    await one.confirm()
    with pytest.raises(SourceBusyError):
        await two.take()
    await one.give_back()
    await two.take()
    assert f"{lock_prefix(ANN)}{name}" in store.blobs
    assert "not a word on a lock" in caplog.text


# names


@pytest.mark.parametrize("tag", ["~~", "%FF", "a~~b~~c", "x/y", "case-7~" + "0" * 40])
async def test_a_hold_with_an_odd_name_holds(store, tag):
    snapshot = SnapshotName(series=Series(source=ANN), instant="20260301T000000.000Z")
    put_odd(store, hold_name(snapshot, "good").replace("good", tag))
    put_odd(store, hold_name(snapshot, "good"))
    holds = await read_holds(store, ANN)
    assert len(holds[snapshot.key]) == 2
    assert "good" in holds[snapshot.key]


@pytest.mark.parametrize("stamp", ["20261301T000000.000Z", "00000101T000000.000Z", "20260229T990000.000Z"])
async def test_names_with_digits_that_are_no_time(store, stamp):
    assert parse_content(f"{content_prefix(ANN)}a.txt/{stamp}-0123456789abcdef.txt") is None
    assert parse_snapshot(f"snapshots/user/ann@example.com/default/{stamp}/manifest.json") is None
    put_odd(store, f"{content_prefix(ANN)}a.txt/{stamp}-0123456789abcdef.txt")
    put_odd(store, f"snapshots/user/ann@example.com/default/{stamp}/manifest.json")
    assert len(await load_stored(store, ANN)) == 0
    assert await SnapshotRepository(store).names(ANN) == []


@pytest.mark.parametrize(
    "folder", ["user/a b@example.com", "user/Bob@example.com", "drive/x y", "folder/%0A", "user/%FF"]
)
async def test_a_folder_of_what_is_no_source(store, folder):
    put_odd(store, f"snapshots/{folder}/default/20260301T000000.000Z/manifest.json", b"{}")
    assert await SnapshotRepository(store).all_series() == []
    assert await find_stopped(store, "default", "run-1", set(), [], FakeClock(datetime(2026, 3, 1, tzinfo=UTC))) == (
        [],
        [],
    )


@pytest.mark.parametrize("data", [b"{", b'{"source": "\xff"}', b'{"z": ' + b"[" * 100_000, b"null"])
async def test_a_record_of_a_source_that_stopped(data):
    backup = Backup(FakeDrive(file("a.txt", b"alpha", id="a")))
    name = parse_snapshot((await backup.run())["manifest"])
    for settled in (False, True):
        put_odd(backup.store, stopped_name(name.series, name.ident, settled=settled), data)
        assert await state_of(backup.store, name.series) is None or settled
    put_odd(backup.store, stopped_name(name.series, name.ident), data)
    new, known = await find_stopped(backup.store, "default", "run-9", set(), [], backup.clock)
    assert (new, known) == ([], [])  # a person has settled it, be the record readable or not


@pytest.mark.parametrize("day", ["9999999", "9" * 300, "-1", "x", "\u0663"])
async def test_a_record_of_a_verification_in_the_future(store, day):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    put_odd(store, f"{verified_prefix(ANN)}00030-{day}.json", b"{")
    assert (await due(store, ANN, 30, now)).buckets


@pytest.mark.parametrize("name", ["x", "a-b", "a-b-c", "a-b-c-d", "", "0123456789abcdef-0-missing"])
async def test_a_record_of_damage(store, name):
    put_odd(store, f"damaged/user/ann@example.com/{name}.json", b"\xff")
    damaged = await load_damaged(store, ANN)
    blob = BlobInfo(name="content/user/ann@example.com/a/20260301T000000.000Z-0123456789abcdef", size=1)
    assert not damaged.holds(blob)


# content


@pytest.mark.parametrize(
    "metadata",
    [{}, {"sha256": "ab"}, {"sha256": "z" * 64}, {"sha256": "A" * 64}, {"md5": "x"}, {"size": "many"}, {"format": ""}],
)
async def test_a_content_blob_with_broken_metadata_is_stored_again(metadata):
    backup = Backup(FakeDrive(file("a.txt", b"alpha", id="a"), file("b.txt", b"beta", id="b")))
    await backup.run()
    [blob] = [name for name in backup.contents() if "/a.txt/" in name]
    data, info = backup.store.blobs[blob]
    broken = {**info.metadata, **metadata} if metadata else {}
    backup.store.blobs[blob] = (data, replace(info, metadata={key: each for key, each in broken.items() if each}))
    assert stored_file(backup.store.blobs[blob][1]) is None
    summary = await backup.run("2026-03-02")
    assert (summary["status"], summary["counts"]) == ("complete", {"copied": 1, "unchanged": 1})
    assert await backup.restored(summary) == {"a": b"alpha", "b": b"beta"}


async def test_a_manifest_of_no_source_is_a_damaged_one():
    backup = Backup(FakeDrive(file("a.txt", b"alpha", id="a")))
    summary = await backup.run()
    data, info = backup.store.blobs[summary["manifest"]]
    backup.store.blobs[summary["manifest"]] = (data.replace(b"user/ann@example.com", b"nothing at all"), info)
    repository = SnapshotRepository(backup.store)
    with pytest.raises(CorruptStoreError):
        await repository.read(parse_snapshot(summary["manifest"]))
    assert (await backup.run("2026-03-02"))["status"] == "complete"


@pytest.mark.parametrize("md5", ["!", "a", "A" * 5])
def test_a_blob_with_a_content_md5_that_is_none(md5):
    body = (
        "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>1</Content-Length>"
        f"<Content-MD5>{md5}</Content-MD5></Properties></Blob></Blobs><NextMarker /></EnumerationResults>"
    )
    [blob], _ = read_page(body.encode())
    assert (blob.name, blob.md5) == ("a", None)


# events


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b'{"id": 5}', b"[" * 100_000, event(9).to_json()[:-1] + b" " * 70_000 + b"}"],
    ids=["empty", "cut", "no text", "other", "deep", "large"],
)
@pytest.mark.parametrize("where", ["blob", "spool"])
async def test_an_odd_event_in_the_outbox(store, tmp_path, data, where):
    spool, sink = LocalSpool(tmp_path), RecordingSink()
    await Outbox(store).keep([event(2)])
    await Outbox(spool).keep([event(1)])
    name = f"{PREFIX}20260101T000000.000000Z-000000-odd.json"
    await (store if where == "blob" else spool).put(name, data, content_type="application/json")
    emitter = Emitter(sink=sink, store=store, spool=spool)
    await emitter.emit([event(3)])
    assert sorted(sink.sent) == subjects(1, 2, 3)
    assert name in store.blobs


async def test_a_file_in_the_spool_that_blob_cannot_hold_or_nobody_can_read(store, tmp_path):
    spool, sink = LocalSpool(tmp_path), RecordingSink()
    spool.write(f"{PREFIX}odd\x01.json", b"{}")
    (tmp_path / PREFIX / "loop.json").symlink_to("loop.json")
    os.mkfifo(tmp_path / PREFIX / "pipe.json")
    await Outbox(spool).keep([event(1)])
    await Outbox(store).keep([event(2)])
    await Emitter(sink=sink, store=store, spool=spool).emit([event(3)])
    assert sorted(sink.sent) == subjects(1, 2, 3)


# journals


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", gzip.compress(b"{}\n"), gzip.compress(b'{"\\ud'), gzip.compress(b"[" * 9999)],
    ids=["empty", "no gzip", "other", "cut", "deep"],
)
async def test_a_broken_part_of_a_journal_costs_its_work_and_not_the_task(store, data):
    clock = FakeClock()
    async with Journal(store, "work/j/", Record, clock) as journal:
        await journal.add(Record(source="a"))
    put_odd(store, "work/j/001-0-00000.jsonl.gz", data)
    async with Journal(store, "work/j/", Record, clock) as journal:
        assert journal.rows == {}
        await journal.add(Record(source="a"))
        await journal.add(Record(source="b"))
        await journal.finish()
    assert {row.source for row in await read_journal(store, "work/j/", Record)} == {"a", "b"}


@pytest.mark.parametrize("seconds", ["9" * 20, "9" * 5000, "-1", "soon", "1e9"])
async def test_a_reader_with_an_odd_time_expires_like_any_other(store, seconds):
    await store.put("reading/user/ann@example.com/default/20260301T000000.000Z/x", b"", metadata={"seconds": seconds})
    [record] = await read_records(store, ANN)
    assert not record.expired
