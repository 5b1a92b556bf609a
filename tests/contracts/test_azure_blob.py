"""The real adapter against Microsoft's own emulator keeps the contract."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.credentials import AzureSasCredential
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.blob.target import AzureTargetStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ContainerMissingError, CredentialsError
from include.drive_backup.pacing import Backoff
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.target_store import TargetStoreContract

pytestmark = pytest.mark.integration
QUICK = CallSettings(backoff=Backoff(attempts=2, first=0.01))


@pytest.fixture
async def client(azurite):
    name = f"c{uuid.uuid4().hex[:20]}"
    async with ContainerClient.from_connection_string(azurite, name) as container:
        yield container


@pytest.fixture
async def store(client):
    """The container is not made yet."""
    async with AzureBlobStore(client, SystemClock()) as store:
        yield store


class TestAzureBlobStore(BlobStoreContract):
    @pytest.fixture
    async def store(self, client):
        async with AzureBlobStore(client, SystemClock(), QUICK) as store:
            await store.ensure_container(create=True)
            yield store


class TestAzureTargetStore(TargetStoreContract):
    @pytest.fixture
    async def store(self, client):
        async with AzureTargetStore(client, SystemClock(), QUICK) as store:
            await store.ensure_container(create=True)
            yield store


async def test_a_missing_container_is_missing_until_it_is_made(store):
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


async def test_the_service_stores_the_md5_that_it_checked(store, client):
    await store.ensure_container(create=True)
    await store.put("b", b"hello")
    properties = await client.get_blob_client("b").get_blob_properties()
    assert bytes(properties.content_settings.content_md5) == hashlib.md5(b"hello").digest()


async def test_a_wrong_key_is_a_credentials_error(azurite):
    wrong = azurite.replace("AccountKey=Eby8", "AccountKey=AAAA")
    async with (
        ContainerClient.from_connection_string(wrong, "any") as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        for call in (store.ensure_container(create=True), store.put("a", b"x")):
            with pytest.raises(CredentialsError, match="check the key"):
                await call


async def test_listing_goes_on_after_a_full_page(store, monkeypatch):
    monkeypatch.setattr("include.drive_backup.blob.azure._PAGE", 3)
    await store.ensure_container(create=True)
    for number in range(10):
        await store.put(f"n/{number}", b"")
    assert [info.name async for info in store.list("n/")] == [f"n/{number}" for number in range(10)]


async def test_a_signature_in_the_url_is_enough_to_write(azurite, client, store):
    await store.ensure_container(create=True)
    rights = ContainerSasPermissions(read=True, create=True, write=True, list=True)
    signature = generate_container_sas(
        client.account_name,
        client.container_name,
        account_key=client.credential.account_key,
        permission=rights,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    url = f"{store.url}?{signature}"
    bare = (store.url.rpartition("/")[0], client.container_name)
    for container in (
        ContainerClient.from_container_url(url),
        ContainerClient(*bare, credential=signature),
        ContainerClient(*bare, credential=AzureSasCredential(signature)),
    ):
        async with container, AzureBlobStore(container, SystemClock(), QUICK) as signed:
            name = f"folder/é +&?#%{uuid.uuid4().hex}"
            assert await signed.put(name, b"x", metadata={"a": "b"})
            await signed.stage_block(f"{name}2", 0, b"xy", upload_key="k")
            assert await signed.commit_blocks(f"{name}2", 1, upload_key="k", md5=hashlib.md5(b"xy").digest())
            assert (await signed.read(name), await signed.read(f"{name}2")) == (b"x", b"xy")


async def test_metadata_names_in_any_order_are_signed_as_the_service_does(store):
    await store.ensure_container(create=True)
    metadata = dict.fromkeys(("b", "a", "a_", "a1", "_a", "a_1", "ab", "a__", "md5", "m_d", "version", "date"), "x")
    assert await store.put("odd", b"x", metadata=metadata)
    assert (await store.head("odd")).metadata == metadata
