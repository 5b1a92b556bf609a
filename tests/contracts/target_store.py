"""What every ``ports.TargetStore`` must do besides: replace what was looked at, and nothing else."""

from __future__ import annotations

import hashlib

import pytest

from include.drive_backup.blob.errors import LEASED
from include.drive_backup.errors import PermanentError
from tests.contracts.blob_store import BlobStoreContract


async def write(store, name, data, how):
    if how == "put":
        return await store.put(name, data, content_type="text/new", metadata={"is": "new"})
    await store.stage_block(name, 0, data[:3], upload_key="k")
    await store.stage_block(name, 1, data[3:], upload_key="k")
    md5 = hashlib.md5(data).digest()
    return await store.commit_blocks(name, 2, upload_key="k", md5=md5, content_type="text/new", metadata={"is": "new"})


class TargetStoreContract(BlobStoreContract):
    """Subclasses provide an async fixture ``store``: an empty container."""

    async def test_what_was_looked_at_is_replaced_with_all_that_belongs_to_it(self, store):
        for how in ("put", "blocks"):
            assert await store.put(f"a/{how}", b"old", metadata={"was": "old"})
            assert await write(store.over(await store.head(f"a/{how}")), f"a/{how}", b"newer", how)
            assert await store.read(f"a/{how}") == b"newer"
            info = await store.head(f"a/{how}")
            assert (info.size, info.md5) == (5, hashlib.md5(b"newer").hexdigest())
            assert (info.content_type, info.metadata) == ("text/new", {"is": "new"})

    async def test_an_empty_blob_may_replace_another_one(self, store):
        await store.put("a", b"old")
        assert await store.over(await store.head("a")).put("a", b"")
        assert await store.read("a") == b""

    async def test_what_changed_since_it_was_looked_at_is_left_alone(self, store):
        for how in ("put", "blocks"):
            await store.put(how, b"old")
            seen = await store.head(how)
            assert await store.over(seen).put(how, b"by somebody else")
            assert not await write(store.over(seen), how, b"newer", how)
            assert await store.read(how) == b"by somebody else"

    async def test_what_is_gone_since_it_was_looked_at_does_not_come_back(self, store):
        for how in ("put", "blocks"):
            await store.put(how, b"old")
            seen = await store.head(how)
            await store.delete([how])
            assert not await write(store.over(seen), how, b"newer", how)
            assert await store.head(how) is None

    async def test_what_is_leased_is_not_replaced(self, store):
        await store.put("a", b"old")
        assert await store.lease("a")
        with pytest.raises(PermanentError) as caught:
            await store.over(await store.head("a")).put("a", b"newer")
        assert caught.value.reason == LEASED
        assert await store.read("a") == b"old"
        await store.end_lease("a")
        assert await store.over(await store.head("a")).put("a", b"newer")

    async def test_the_container_itself_still_only_creates(self, store):
        await store.put("a", b"old")
        store.over(await store.head("a"))
        assert not await store.put("a", b"new")
        assert not await write(store, "a", b"newer", "blocks")
        assert await store.read("a") == b"old"
