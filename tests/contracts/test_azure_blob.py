"""The real adapter against Microsoft's own emulator keeps the contract."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ContainerMissingError, CredentialsError
from include.drive_backup.pacing import Backoff
from tests.contracts.blob_store import BlobStoreContract

pytestmark = pytest.mark.integration
QUICK = CallSettings(backoff=Backoff(attempts=2, first=0.01))


@pytest.fixture
async def client(azurite):
    name = f"c{uuid.uuid4().hex[:20]}"
    async with ContainerClient.from_connection_string(azurite, name) as container:
        yield container


class TestAzureBlobStore(BlobStoreContract):
    @pytest.fixture
    async def store(self, client):
        store = AzureBlobStore(client, SystemClock(), QUICK)
        await store.ensure_container(create=True)
        return store


async def test_a_missing_container_is_missing_until_it_is_made(client):
    store = AzureBlobStore(client, SystemClock())
    for attempt in (
        lambda: store.ensure_container(create=False),
        lambda: store.put("a", b""),
        lambda: store.head("a"),
        lambda: store.read("a"),
        lambda: anext(store.list("")),
        lambda: store.stage_block("a", 0, b"x", upload_key="k"),
        lambda: store.delete(["a"]),
    ):
        with pytest.raises(ContainerMissingError, match="Create it"):
            await attempt()
    await store.ensure_container(create=True)
    await store.ensure_container(create=False)
    assert await store.put("a", b"")


async def test_the_service_stores_the_md5_that_it_checked(client):
    store = AzureBlobStore(client, SystemClock(), QUICK)
    await store.ensure_container(create=True)
    await store.put("b", b"hello")
    properties = await client.get_blob_client("b").get_blob_properties()
    assert bytes(properties.content_settings.content_md5) == hashlib.md5(b"hello").digest()


async def test_a_wrong_key_is_a_credentials_error(azurite, client):
    wrong = azurite.replace("AccountKey=Eby8", "AccountKey=AAAA")
    async with ContainerClient.from_connection_string(wrong, "any") as container:
        with pytest.raises(CredentialsError, match="check the key"):
            await AzureBlobStore(container, SystemClock()).ensure_container(create=True)


async def test_listing_goes_on_after_a_full_page(client, monkeypatch):
    monkeypatch.setattr("include.drive_backup.blob.azure._PAGE", 3)
    store = AzureBlobStore(client, SystemClock())
    await store.ensure_container(create=True)
    for number in range(10):
        await store.put(f"n/{number}", b"")
    assert [info.name async for info in store.list("n/")] == [f"n/{number}" for number in range(10)]
