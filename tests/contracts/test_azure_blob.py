"""The real adapter against Microsoft's own emulator keeps the contract."""

from __future__ import annotations

import hashlib
import re
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
from include.drive_backup.errors import ContainerMissingError, CredentialsError, SourceBusyError, TransientError
from include.drive_backup.pacing import Backoff
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.target_store import TargetStoreContract
from tests.support.blob_proxy import blob_proxy

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


@pytest.mark.parametrize("kind", ["put", "delete"])
async def test_a_guard_is_asked_before_each_repeated_request_too(azurite, client, store, kind):
    """The lock may be lost while a request is tried again."""
    await store.ensure_container(create=True)
    await store.put("there", b"x")
    origin = re.search(r"BlobEndpoint=(https?://[^/;]+)", azurite)[1]
    asked, arrived = [], []

    def twice():
        asked.append(1)
        if len(asked) == 3:
            raise SourceBusyError("lost")

    async with blob_proxy(origin) as proxy:
        proxy.pick = lambda request: arrived.append(request.method) or "503"
        through = azurite.replace(origin, proxy.url)
        patient = CallSettings(backoff=Backoff(attempts=6, first=0.01))
        async with (
            ContainerClient.from_connection_string(through, client.container_name) as container,
            AzureBlobStore(container, SystemClock(), patient) as cut,
        ):
            with pytest.raises(SourceBusyError, match="lost"):
                await (cut.put("a", b"x", guard=twice) if kind == "put" else cut.delete(["there"], guard=twice))
    assert (len(asked), len(arrived)) == (3, 2)
    assert [info.name async for info in store.list("")] == ["there"]


async def test_another_programs_lease_for_a_time_is_not_mistaken_for_a_hold(store, client):
    await store.ensure_container(create=True)
    await store.put("a", b"x")
    theirs = await client.get_blob_client("a").acquire_lease(15)
    with pytest.raises(TransientError, match="Another program leases 'a'"):
        await store.lease("a")
    assert await store.lease("a", seconds=15)
    await theirs.release()
    await client.get_blob_client("a").acquire_lease(-1)
    assert await store.lease("a")


async def test_a_lease_of_a_later_epoch_is_not_ended_by_who_knows_of_an_earlier_one(store):
    await store.ensure_container(create=True)
    await store.put("a", b"x")
    assert await store.lease("a", seconds=15)
    assert await store.lease("a")
    assert await store.lease("a", epoch=2)
    assert await store.lease("a", epoch=1)
    for epoch in (0, 1):
        await store.end_lease("a", epoch=epoch)
        assert set(await store.delete(["a"])) == {"a"}
    assert await store.lease("a", epoch=11)
    await store.end_lease("a", epoch=12)
    assert await store.delete(["a"]) == {}
    assert not await store.lease("a", epoch=3)
    await store.end_lease("a", epoch=3)


async def test_who_may_only_read_may_not_lease(client, store):
    await store.ensure_container(create=True)
    await store.put("a", b"x")
    signature = generate_container_sas(
        client.account_name,
        client.container_name,
        account_key=client.credential.account_key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    async with (
        ContainerClient.from_container_url(f"{store.url}?{signature}") as container,
        AzureBlobStore(container, SystemClock(), QUICK) as reader,
    ):
        for call in (reader.lease("a"), reader.lease("a", seconds=15), reader.delete(["a"]), reader.put("b", b"")):
            with pytest.raises(CredentialsError):
                await call


async def test_blobs_with_odd_names_are_deleted_whatever_the_credential(azurite, client, store):
    """Delete and lease are sent past the SDK, so their signature and address are ours."""
    await store.ensure_container(create=True)
    rights = ContainerSasPermissions(read=True, create=True, write=True, list=True, delete=True)
    signature = generate_container_sas(
        client.account_name,
        client.container_name,
        account_key=client.credential.account_key,
        permission=rights,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    async with (
        ContainerClient.from_container_url(f"{store.url}?{signature}") as container,
        AzureBlobStore(container, SystemClock(), QUICK) as signed,
    ):
        for each in (store, signed):
            names = ["a/é 😀: ?#&+<x>", "b%41/~c", "d e/f'(g)!*"]
            for name in names:
                await each.put(name, b"x")
                assert await each.lease(name, seconds=15)
                assert await each.lease(name)
            assert set(await each.delete(names)) == set(names)
            for name in names:
                await each.end_lease(name)
            assert await each.delete(names) == {}
            assert [info async for info in each.list("")] == []
