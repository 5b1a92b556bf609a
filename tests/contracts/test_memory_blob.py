"""The container in memory keeps the contract, so what passes on it means something."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import ContainerMissingError, ContentArchivedError, ServiceUnavailableError
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.target_store import TargetStoreContract
from tests.support.memory_blob import MemoryBlobStore
from tests.support.memory_target import MemoryTargetStore


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    async def store(self):
        return MemoryBlobStore()

    def hours_later(self, store):
        store.rehydrate()


class TestMemoryTargetStore(TargetStoreContract):
    @pytest.fixture
    async def store(self):
        return MemoryTargetStore()

    def hours_later(self, store):
        store.rehydrate()


async def test_a_missing_container_is_missing_until_it_is_made():
    store = MemoryBlobStore(container=False)
    with pytest.raises(ContainerMissingError):
        await store.ensure_container(create=False)
    with pytest.raises(ContainerMissingError):
        await store.put("a", b"")
    await store.ensure_container(create=True)
    assert await store.put("a", b"")


async def test_faults_strike_before_or_after_the_deed():
    def fault(phase, operation, name):
        if (phase, operation, name) in {("before", "put", "a"), ("after", "put", "b")}:
            raise ServiceUnavailableError("down", service="blob")

    store = MemoryBlobStore(fault=fault)
    for name in ("a", "b"):
        with pytest.raises(ServiceUnavailableError):
            await store.put(name, b"x")
    assert list(store.blobs) == ["b"]
    assert store.calls["put"] == 2


async def test_what_is_on_its_way_out_of_the_archive_cannot_be_read_nor_moved():
    """As the service does it (REST reference, "Set Blob Tier"); Azurite has no such time."""
    store = MemoryBlobStore()
    await store.put("a", b"x", tier="archive")
    await store.set_tier(["a"], "cool", priority="standard")
    info = await store.head("a")
    assert (info.archived, info.rehydrating) == (True, True)
    with pytest.raises(ContentArchivedError) as caught:
        await store.read("a")
    assert caught.value.reason == "BlobBeingRehydrated"
    assert (await store.set_tier(["a"], "hot"))["a"].reason == "BlobBeingRehydrated"
    store.rehydrate()
    assert (await store.head("a")).tier == "cool"
