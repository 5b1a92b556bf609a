"""After a container was copied elsewhere all its blobs are new; when content was seen is told by their metadata."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from include.drive_backup.blob.metadata import stored_file
from include.drive_backup.model import Source, parse_instant
from include.drive_backup.verification.run import choose, verify_source
from tests.support.claims import FIRST, Nights, copy_container
from tests.support.trees import file, native


def written(nights, ident, content, day):
    nights.drive.now = FIRST + timedelta(days=day, hours=12)
    nights.drive.write(ident, content, nights.drive.now.isoformat())


@pytest.mark.parametrize("entry", [file("f", b"first", id="f"), native("f", content=b"first", id="f")])
async def test_no_version_is_that_of_an_instant_because_the_copy_is_younger(entry):
    nights = Nights(entry)
    await nights.night()
    written(nights, "f", b"second", 1)
    written(nights, "f", b"third", 7)
    nights.drive.past.clear()
    copy_container(nights.backup.store, FIRST + timedelta(days=8))
    nights.backup.clock.set(FIRST + timedelta(days=9))
    row = (await nights.rows(await nights.backup.run("2026-03-05")))["f"]
    assert (row["fidelity"], row["data"]) == ("head-later", b"third")


async def test_what_was_seen_before_the_copy_is_still_known_after_it():
    nights = Nights(file("f", b"first", id="f"))
    nights.late = timedelta(minutes=30)
    await nights.night()
    written(nights, "f", b"second", 1)
    copy_container(nights.backup.store, FIRST + timedelta(days=8))
    nights.backup.clock.set(FIRST + timedelta(days=9))
    row = (await nights.rows(await nights.backup.run("2026-03-01T00:20", series="other")))["f"]
    assert (row["fidelity"], row["data"]) == ("place-later", b"first")
    assert "version of that instant" in row["message"]


async def test_a_time_that_the_blob_contradicts_is_not_believed():
    nights = Nights(file("f", b"first", id="f"))
    await nights.night()
    (name,) = nights.backup.contents()
    info = nights.backup.store.blobs[name][1]
    read = parse_instant(info.metadata["read"])
    assert stored_file(info).read == read
    assert stored_file(replace(info, modified=read + timedelta(days=900))).read == read
    assert stored_file(replace(info, modified=read - timedelta(days=1))).read is None
    assert stored_file(replace(info, metadata={**info.metadata, "read": "soon"})).read is None
    assert stored_file(replace(info, metadata={k: v for k, v in info.metadata.items() if k != "read"})).read is None


async def verify(nights):
    store = nights.backup.store
    names = await choose(store, Source.parse("user/ann@example.com"))
    return (await verify_source(store, names, "all", now=nights.backup.clock.now())).damages


async def test_a_blob_that_was_known_to_be_damaged_is_not_used_again_in_the_copy():
    nights = Nights(file("f", b"first", id="f"))
    bad = (await nights.night())["f"]["contents"][0]["blob"]
    data, info = nights.backup.store.blobs[bad]
    nights.backup.store.blobs[bad] = (b"F" + data[1:], info)
    assert [damage.blob for damage in await verify(nights)] == [bad]
    copy_container(nights.backup.store, FIRST + timedelta(days=8))
    nights.day = 9
    row = (await nights.night())["f"]
    assert (row["data"], row["contents"][0]["blob"] != bad) == (b"first", True)


async def test_a_loss_that_is_known_is_not_news_in_the_copy():
    nights = Nights(file("f", b"first", id="f"))
    await nights.night()
    (lost,) = nights.backup.contents()
    written(nights, "f", b"second", 0)
    await nights.night()
    del nights.backup.store.blobs[lost]
    assert [damage.known for damage in await verify(nights)] == [False]
    copy_container(nights.backup.store, FIRST + timedelta(days=8))
    nights.backup.clock.set(FIRST + timedelta(days=9))
    assert [damage.known for damage in await verify(nights)] == [True]
