"""What every ``ports.BlobStore`` must do. A test module subclasses :class:`BlobStoreContract` and gives a ``store``."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta

import pytest

from include.drive_backup.blob.errors import LEASED
from include.drive_backup.errors import BrokenBodyError, ContentArchivedError, CorruptStoreError, SourceBusyError


def md5(data):
    return hashlib.md5(data)


async def listed(store, prefix, **options):
    return [info async for info in store.list(prefix, **options)]


async def streamed(store, name):
    return b"".join([piece async for piece in store.stream(name)])


class BlobStoreContract:
    """Subclasses provide an async fixture ``store``: an empty container."""

    def hours_later(self, store):
        """Lets what is rehydrated be readable; Azurite takes no time for it."""

    async def test_a_blob_comes_back_with_its_checksum_type_and_metadata(self, store):
        data, metadata = b"hello", {"name": " Grüße 😀\n%41 ", "file_id": "1-_x"}
        assert await store.put("content/a", data, content_type="text/plain; charset=utf-8", metadata=metadata)
        info = await store.head("content/a")
        assert (info.name, info.size, info.md5) == ("content/a", 5, md5(data).hexdigest())
        assert info.content_type == "text/plain; charset=utf-8"
        assert info.metadata == metadata
        assert info.modified.tzinfo is not None
        assert await store.read("content/a") == data
        assert await streamed(store, "content/a") == data

    async def test_an_empty_blob_is_a_blob(self, store):
        assert await store.put("empty", b"")
        assert await store.read("empty") == b""
        assert await streamed(store, "empty") == b""
        info = await store.head("empty")
        assert (info.size, info.md5) == (0, md5(b"").hexdigest())

    async def test_nothing_is_ever_overwritten(self, store):
        assert await store.put("once", b"first", metadata={"who": "first"})
        assert not await store.put("once", b"second", metadata={"who": "second"})
        assert not await store.put("once", b"first", metadata={"who": "first"})
        await store.stage_block("once", 0, b"third", upload_key="k")
        assert not await store.commit_blocks("once", 1, upload_key="k", md5=md5(b"third").digest())
        assert await store.read("once") == b"first"
        assert (await store.head("once")).metadata == {"who": "first"}

    async def test_of_many_writers_exactly_one_creates(self, store):
        made = await asyncio.gather(*(store.put("race", f"writer {n}".encode()) for n in range(8)))
        assert made.count(True) == 1
        assert await store.read("race") == f"writer {made.index(True)}".encode()

    async def test_what_is_missing_is_none_and_not_an_error(self, store):
        assert await store.head("no/such") is None
        assert await store.read("no/such") is None
        assert await listed(store, "no/") == []
        with pytest.raises(CorruptStoreError) as caught:
            await streamed(store, "no/such")
        assert caught.value.reason == "blobMissing"
        await store.delete(["no/such"])

    async def test_a_large_blob_is_made_of_its_blocks_in_order(self, store):
        blocks = [bytes([65 + n]) * (3_000_000 + n) for n in range(4)]
        whole = b"".join(blocks)
        await asyncio.gather(
            *(store.stage_block("big", n, blocks[n], upload_key="version") for n in reversed(range(4)))
        )
        await store.stage_block("big", 2, blocks[2], upload_key="version")
        assert await store.head("big") is None
        assert await listed(store, "big") == []
        made = await store.commit_blocks(
            "big", 4, upload_key="version", md5=md5(whole).digest(), content_type="video/mp4", metadata={"a": "b"}
        )
        assert made
        info = await store.head("big")
        assert (info.size, info.md5, info.content_type) == (len(whole), md5(whole).hexdigest(), "video/mp4")
        assert info.metadata == {"a": "b"}
        assert await streamed(store, "big") == whole
        assert await store.read("big") == whole

    async def test_writers_of_other_bytes_do_not_mix(self, store):
        for key in ("one", "two"):
            for index in range(2):
                await store.stage_block("mixed", index, f"{key}{index} ".encode(), upload_key=key)
        assert await store.commit_blocks("mixed", 2, upload_key="one", md5=md5(b"one0 one1 ").digest())
        assert await store.read("mixed") == b"one0 one1 "
        assert not await store.commit_blocks("mixed", 2, upload_key="two", md5=md5(b"two0 two1 ").digest())

    async def test_a_missing_block_is_an_error_that_may_be_tried_again(self, store):
        await store.stage_block("gap", 0, b"x", upload_key="k")
        with pytest.raises(BrokenBodyError) as caught:
            await store.commit_blocks("gap", 2, upload_key="k", md5=md5(b"x").digest())
        assert caught.value.reason == "InvalidBlockList"
        assert await store.head("gap") is None

    async def test_bytes_that_do_not_fit_the_stored_checksum_are_reported(self, store):
        await store.stage_block("rotten", 0, b"x" * 10, upload_key="k")
        assert await store.commit_blocks("rotten", 1, upload_key="k", md5=md5(b"y" * 10).digest())
        with pytest.raises(CorruptStoreError):
            await store.read("rotten")
        with pytest.raises(CorruptStoreError):
            await streamed(store, "rotten")

    async def test_bytes_that_are_not_those_of_the_given_checksum_are_not_stored(self, store):
        with pytest.raises(BrokenBodyError):
            await store.put("a", b"hello", md5=hashlib.md5(b"jello").digest())
        assert await store.head("a") is None
        assert await store.put("a", b"hello", md5=hashlib.md5(b"hello").digest())
        assert (await store.head("a")).md5 == hashlib.md5(b"hello").hexdigest()

    async def test_listing_is_by_prefix_in_lexical_order_with_metadata_on_demand(self, store):
        for name in ("b/2", "a/1", "b/10", "b/é 😀: ?#&+<x>", "bb"):
            await store.put(name, name.encode(), content_type="text/plain", metadata={"at": name})
        plain = await listed(store, "b/")
        assert [info.name for info in plain] == ["b/10", "b/2", "b/é 😀: ?#&+<x>"]
        assert all(info.metadata == {} for info in plain)
        full = await listed(store, "b/", metadata=True)
        assert [info.metadata["at"] for info in full] == [info.name for info in full]
        for info in full:
            assert (info.size, info.md5) == (len(info.name.encode()), md5(info.name.encode()).hexdigest())
            assert info.content_type == "text/plain"
            assert info == await store.head(info.name)
        assert len(await listed(store, "")) == 5

    async def test_it_has_a_clock_that_its_times_are_of(self, store):
        before = await store.now()
        await store.put("a", b"x")
        written = (await store.head("a")).modified
        # To the second: what was written may seem to be a moment before the time that was asked for.
        assert before - timedelta(seconds=1) <= written <= await store.now() + timedelta(seconds=1)

    async def test_many_are_deleted_in_one_go(self, store):
        for number in range(100):
            await store.put(f"many/{number}", b"x")
        assert await store.delete([f"many/{number}" for number in range(1, 100)]) == {}
        assert [info.name for info in await listed(store, "many/")] == ["many/0"]
        assert await store.delete([]) == {}

    async def test_a_guard_that_raises_keeps_a_blob_from_being_written(self, store):
        def refuse():
            raise SourceBusyError("not now")

        with pytest.raises(SourceBusyError, match="not now"):
            await store.put("a", b"x", guard=refuse)
        assert await store.head("a") is None
        asked = []
        assert await store.put("a", b"x", guard=lambda: asked.append(1))
        assert asked == [1]

    async def test_a_guard_is_asked_before_each_blob_that_is_deleted_and_stops_the_others(self, store):
        names = [f"many/{number:03d}" for number in range(100)]
        for name in names:
            await store.put(name, b"x")
        asked = 0

        def until_ten():
            nonlocal asked
            asked += 1
            # Once only: what was refused stays refused for the whole call.
            if asked == 11:
                raise SourceBusyError("not now")

        with pytest.raises(SourceBusyError, match="not now"):
            await store.delete(names, guard=until_ten)
        assert len(await listed(store, "many/")) == 90
        assert asked == 11
        assert await store.delete(names, guard=lambda: None) == {}
        assert await listed(store, "many/") == []

    async def test_a_leased_blob_is_not_deleted_until_the_lease_is_ended(self, store):
        for name in ("held", "free"):
            await store.put(name, b"x")
        assert await store.lease("held")
        assert await store.lease("held")
        kept = await store.delete(["held", "free"])
        assert [(name, why.reason) for name, why in kept.items()] == [("held", LEASED)]
        assert [info.name for info in await listed(store, "")] == ["held"]
        assert not await store.put("held", b"y")
        assert await store.read("held") == b"x"
        await store.end_lease("held")
        await store.end_lease("held")
        assert await store.delete(["held"]) == {}
        assert await store.head("held") is None

    async def test_a_lease_for_a_time_never_shortens_one_without_an_end_which_takes_its_place(self, store):
        await store.put("read", b"x")
        assert await store.lease("read", seconds=15)
        assert await store.lease("read", seconds=60)
        await store.end_lease("read")
        assert list(await store.delete(["read"])) == ["read"]
        assert await store.lease("read")
        assert await store.lease("read", seconds=15)
        assert list(await store.delete(["read"])) == ["read"]
        await store.end_lease("read")
        # Nothing of the one for a time is there any more.
        assert await store.delete(["read"]) == {}

    async def test_what_is_not_there_cannot_be_leased(self, store):
        assert not await store.lease("no/such")
        assert not await store.lease("no/such", seconds=15)
        await store.end_lease("no/such")
        with pytest.raises(ValueError, match="60 seconds"):
            await store.lease("no/such", seconds=61)

    async def test_deleting_removes_just_the_named(self, store):
        for name in ("work/1", "work/2", "work/3"):
            await store.put(name, b"x")
        await store.delete(["work/1", "work/3", "work/9"])
        assert [info.name for info in await listed(store, "work/")] == ["work/2"]

    @pytest.mark.parametrize(
        "name",
        [
            *("", "a//b", "/a", "a/", "a.", "a./b", "../a", "a/./b", "a\\b", "a\x07b", "\ud800", "\ufffe"),
            "x" * 1025,
            "/".join("x" * 255),
        ],
    )
    async def test_names_that_the_service_refuses_or_alters_are_refused(self, store, name):
        with pytest.raises(ValueError, match="name"):
            await store.put(name, b"x")
        with pytest.raises(ValueError, match="name"):
            await store.stage_block(name, 0, b"x", upload_key="k")
        with pytest.raises(ValueError, match="name"):
            await store.head(name)
        assert await listed(store, "") == []

    @pytest.mark.parametrize(
        "metadata", [{"a-b": "x"}, {"1a": "x"}, {"Upper": "x"}, {"a": ""}, {"a": "x" * 8200}, {"a": "é" * 1400}]
    )
    async def test_metadata_that_the_service_refuses_is_refused(self, store, metadata):
        with pytest.raises(ValueError, match="metadata"):
            await store.put("m", b"x", metadata=metadata)
        await store.stage_block("m", 0, b"x", upload_key="k")
        with pytest.raises(ValueError, match="metadata"):
            await store.commit_blocks("m", 1, upload_key="k", md5=md5(b"x").digest(), metadata=metadata)

    async def test_blocks_that_the_service_refuses_are_refused(self, store):
        for index, data in ((-1, b"x"), (50_000, b"x"), (0, b"")):
            with pytest.raises(ValueError, match="block"):
                await store.stage_block("b", index, data, upload_key="k")
        with pytest.raises(ValueError, match="block"):
            await store.commit_blocks("b", 0, upload_key="k", md5=md5(b"").digest())

    async def test_a_content_type_that_no_header_carries_is_replaced(self, store):
        await store.put("t", b"x", content_type="Köln/\n")
        assert (await store.head("t")).content_type == "application/octet-stream"

    async def test_the_container_may_be_checked_again_and_again(self, store):
        await store.ensure_container(create=False)
        await store.ensure_container(create=True)

    @pytest.mark.parametrize("tier", ["hot", "cool", "cold", "archive"])
    async def test_a_blob_is_in_the_tier_that_it_was_written_to(self, store, tier):
        assert await store.put("one", b"x", tier=tier)
        await store.stage_block("two", 0, b"y", upload_key="k")
        assert await store.commit_blocks("two", 1, upload_key="k", md5=md5(b"y").digest(), tier=tier)
        assert [info.tier for info in await listed(store, "")] == [tier, tier]
        assert (await store.head("one")).tier == tier

    async def test_without_a_word_it_is_in_the_accounts_default_tier(self, store):
        await store.put("one", b"x")
        await store.stage_block("two", 0, b"y", upload_key="k")
        await store.commit_blocks("two", 1, upload_key="k", md5=md5(b"y").digest())
        for info in await listed(store, ""):
            assert (info.tier, info.archived) == ("hot", False)

    async def test_blobs_are_moved_and_keep_everything_else(self, store):
        names = ["a", "b/é 😀: ?#&+", "c"]
        for name in names:
            await store.put(name, name.encode(), content_type="text/plain", metadata={"at": name})
        before = {info.name: info for info in await listed(store, "", metadata=True)}
        assert await store.set_tier(names[:2], "cool") == {}
        assert await store.set_tier([], "cool") == {}
        for info in await listed(store, "", metadata=True):
            was = before[info.name]
            assert info.tier == ("cool" if info.name in names[:2] else "hot")
            assert (info.size, info.md5, info.metadata, info.modified) == (
                was.size,
                was.md5,
                was.metadata,
                was.modified,
            )
            assert info.tier_changed >= info.modified
            assert info == await store.head(info.name)
            assert await store.read(info.name) == info.name.encode()

    async def test_moving_what_is_not_there_is_no_error(self, store):
        await store.put("a", b"x")
        assert await store.set_tier(["a", "no/such"], "cold") == {}
        assert (await store.head("a")).tier == "cold"
        assert await store.head("no/such") is None

    async def test_what_is_archived_is_listed_and_deleted_but_not_read(self, store):
        await store.put("a", b"x", metadata={"who": "me"})
        assert await store.set_tier(["a"], "archive") == {}
        info = await store.head("a")
        assert (info.archived, info.rehydrating, info.md5) == (True, False, md5(b"x").hexdigest())
        assert info.metadata == {"who": "me"}
        assert await listed(store, "", metadata=True) == [info]
        for read in (store.read("a"), streamed(store, "a")):
            with pytest.raises(ContentArchivedError) as caught:
                await read
            assert caught.value.reason == "BlobArchived"
        assert not await store.put("a", b"x")
        assert await store.delete(["a"]) == {}
        assert await store.head("a") is None

    async def test_what_is_rehydrated_can_be_read_in_the_end(self, store):
        await store.put("a", b"x", tier="archive")
        assert await store.set_tier(["a"], "hot", priority="high") == {}
        self.hours_later(store)
        info = await store.head("a")
        assert (info.tier, info.rehydrating) == ("hot", False)
        assert await store.read("a") == b"x"
