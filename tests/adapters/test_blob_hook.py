"""From an Airflow connection to an open container: every way to authenticate, and a sentence for each mistake."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.microsoft.azure.hooks import wasb
from azure.core.credentials import AzureSasCredential
from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential
from azure.storage.blob import generate_container_sas
from azure.storage.blob.aio import BlobServiceClient

from drive_backup_airflow.hooks.blob import DriveBackupBlobHook
from include.drive_backup.errors import (
    ConfigError,
    ContainerMissingError,
    CredentialsError,
    SecretMissingError,
    ServiceUnavailableError,
)

KEY = "c2VjcmV0" * 4
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def connect(monkeypatch):
    """Define the connection and make the hook."""

    def connect(container="drive-backup", **fields):
        monkeypatch.setenv("AIRFLOW_CONN_BLOB_TEST", json.dumps({"conn_type": "wasb", **fields}))
        return DriveBackupBlobHook("blob_test", container)

    return connect


def endpoint_of(azurite):
    return dict(part.split("=", 1) for part in azurite.split(";") if part)["BlobEndpoint"]


@pytest.mark.integration
async def test_a_connection_string_opens_the_container(connect, azurite, azurite_container):
    hook = connect(azurite_container, extra={"connection_string": azurite})
    async with hook.store() as store:
        await store.ensure_container(create=False)
        assert await store.put("a", b"x")
        assert await store.read("a") == b"x"
        assert (store.account, store.container) == ("devstoreaccount1", azurite_container)
        assert store.url == f"{endpoint_of(azurite)}/{azurite_container}"


@pytest.mark.integration
@pytest.mark.parametrize("field", ["password", "shared_access_key", "account_key"])
async def test_an_account_key_opens_the_container(connect, azurite, azurite_container, field):
    fields = {"password": AZURITE_KEY} if field == "password" else {"extra": {field: AZURITE_KEY}}
    async with connect(
        azurite_container, host=endpoint_of(azurite), login="devstoreaccount1", **fields
    ).store() as store:
        assert await store.put("a", b"x")


@pytest.mark.integration
async def test_a_wrong_key_is_a_credentials_error(connect, azurite, azurite_container):
    hook = connect(azurite_container, host=endpoint_of(azurite), login="devstoreaccount1", password=KEY)
    async with hook.store() as store:
        with pytest.raises(CredentialsError):
            await store.ensure_container(create=True)


@pytest.mark.integration
async def test_a_container_that_is_not_there_says_so(connect, azurite):
    async with connect("no-such-container", extra={"connection_string": azurite}).store() as store:
        with pytest.raises(ContainerMissingError, match="no-such-container"):
            await store.ensure_container(create=False)


@pytest.mark.integration
async def test_only_a_target_can_replace_what_is_there(connect, azurite, azurite_container):
    hook = connect(azurite_container, extra={"connection_string": azurite})
    async with hook.store() as backup, hook.target() as target:
        assert await backup.put("a", b"old")
        assert not hasattr(backup, "over")
        assert await target.over(await target.head("a")).put("a", b"new")
        assert await backup.read("a") == b"new"


HOST = "https://account.blob.core.windows.net"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"extra": {"sas_token": "sv=1&sig=SECRET"}}, AzureSasCredential),
        ({"password": "app secret", "extra": {"tenant_id": "contoso"}}, ClientSecretCredential),
        ({"extra": {}}, DefaultAzureCredential),
        ({"extra": {"managed_identity_client_id": "1"}}, DefaultAzureCredential),
    ],
)
async def test_the_credential_is_of_the_kind_that_the_fields_say_and_is_closed(connect, monkeypatch, fields, kind):
    closed = []
    if hasattr(kind, "close"):
        monkeypatch.setattr(kind, "close", lambda self: _note(closed, self))
    hook = connect(host=HOST, login="account", **fields)
    async with hook.store() as store:
        credential = store._container.credential
        assert isinstance(credential, kind)
        assert store.url == f"{HOST}/drive-backup"
    assert not hasattr(kind, "close") or credential in closed


async def _note(closed, credential):
    closed.append(credential)


async def test_the_login_alone_names_the_account(connect):
    async with connect(login="account", password=KEY).store() as store:
        assert store.url == f"{HOST}/drive-backup"


async def test_a_whole_sas_url_is_taken_and_its_signature_kept_out_of_sight(connect):
    async with connect(extra={"sas_token": f"{HOST}/?sv=1&sig=SECRET"}).store() as store:
        assert store.url == f"{HOST}/drive-backup"


async def test_a_connection_that_is_nowhere_is_a_missing_secret():
    with pytest.raises(SecretMissingError, match="blob_nowhere"):
        async with DriveBackupBlobHook("blob_nowhere", "drive-backup").store():
            pass


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"extra": {"connection_string": "nonsense"}}, "connection string"),
        ({"extra": {"connection_string": "AccountName=a"}}, "connection string"),
        ({}, "names no storage account"),
        ({"host": "http://azurite:10000/devstoreaccount1", "login": "a", "password": KEY}, "no dot"),
        ({"host": "localhost", "login": "a", "password": KEY}, "no dot"),
        ({"host": "https://account-with-a-long-name-secondary.blob.core.windows.net", "password": KEY}, "24"),
        ({"login": "account", "extra": "{"}, "no JSON"),
        ({"login": "account", "extra": "[1]"}, "not a JSON object"),
        ({"login": "account", "password": KEY, "extra": {"retry_total": "many"}}, "write a number"),
    ],
)
async def test_a_wrong_field_is_a_sentence(connect, fields, what):
    with pytest.raises(ConfigError, match=what):
        async with connect(**fields).store():
            pass


@pytest.mark.parametrize("extra", [{"sas_token": "sv=1"}, {"sas_token": "sv=1&sig=SECRET%"}, {"sas_token": "SECRET"}])
async def test_a_sas_that_is_not_whole_is_a_sentence_without_it(connect, extra):
    with pytest.raises(ConfigError, match="The SAS of the Airflow connection 'blob_test' is not whole") as caught:
        async with connect(login="account", extra=extra).store():
            pass
    assert "SECRET" not in str(caught.value)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("letters", "hours", "said"), [("rl", -1, "The SAS expired at "), ("r", 1, r"lacks c, w, d, l\. Make one with")]
)
async def test_a_sas_that_is_refused_is_told_by_what_it_says(connect, azurite, azurite_container, letters, hours, said):
    sas = generate_container_sas(
        "devstoreaccount1",
        azurite_container,
        account_key=AZURITE_KEY,
        permission=letters,
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )
    fields = {"host": endpoint_of(azurite), "login": "devstoreaccount1", "extra": {"sas_token": sas}}
    async with connect(azurite_container, **fields).store() as store:
        with pytest.raises(CredentialsError, match=said):
            await store.ensure_container(create=True)


RESOURCE_ID = "/subscriptions/0000/resourceGroups/backup/providers/Microsoft.Storage/storageAccounts/account"


@pytest.mark.parametrize("key", ["resource_id", "extra__wasb__resource_id"])
@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"connection_string": f"AccountName=account;AccountKey={KEY};EndpointSuffix=core.windows.net"}},
        {"login": "account", "password": KEY},
        {"login": "account", "extra": {"sas_token": "sv=1&sig=SECRET"}},
        {"login": "account"},
    ],
)
async def test_the_resource_id_is_known_to_us_and_not_to_the_client(connect, monkeypatch, fields, key):
    given = []

    class Client(BlobServiceClient):
        def __init__(self, *args, **kwargs):
            given.append(kwargs)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(wasb, "AsyncBlobServiceClient", Client)
    hook = connect(**{**fields, "extra": {**fields.get("extra", {}), key: RESOURCE_ID, "read_timeout": 7}})
    assert await hook.resource_id() == RESOURCE_ID
    async with hook.store() as store:
        assert store.account == "account"
    assert given[0]["read_timeout"] == 7
    assert RESOURCE_ID not in given[0].values()


async def test_a_connection_without_a_resource_id_has_none(connect):
    assert await connect(login="account", password=KEY).resource_id() is None


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("account", "az storage account show"),
        ("https://portal.azure.com" + RESOURCE_ID, "az storage account show"),
        (RESOURCE_ID + "/blobServices/default", "az storage account show"),
        (7, "az storage account show"),
        (RESOURCE_ID.replace("/account", "/another"), "'another', but the connection leads to 'account'"),
    ],
)
async def test_a_wrong_resource_id_is_a_sentence(connect, value, what):
    with pytest.raises(ConfigError, match=what):
        async with connect(login="account", password=KEY, extra={"resource_id": value}).store():
            pass


@pytest.mark.parametrize("name", ["ab", "Upper", "a--b", "-a-", "a_b", "x" * 64, "a/b"])
async def test_a_name_that_no_container_has_is_refused(connect, name):
    with pytest.raises(ConfigError, match="no name for a Blob container"):
        async with connect(name, login="account", password=KEY).store():
            pass


async def test_a_key_that_is_no_key_is_a_credentials_error(connect):
    extra = {"retry_total": 0, "initial_backoff": 0}
    hook = connect(host="http://127.0.0.1:9/account", login="account", password="not base64!", extra=extra)
    async with hook.store() as store:
        with pytest.raises(CredentialsError, match="Check the key"):
            await store.head("a")


async def test_the_connection_says_how_long_to_try(connect):
    extra = {"retry_total": 1, "initial_backoff": 0.01, "connection_timeout": 1, "read_timeout": 1}
    hook = connect(host="http://127.0.0.1:9/account", login="account", password=KEY, extra=extra)
    async with hook.store() as store:
        with pytest.raises(ServiceUnavailableError, match="no connection"):
            await store.head("a")


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "https:/acc.blob.core.windows.net/?sv=2024&sig=SECRET"},
        {"host": "blob?sv=2024&sig=SECRET", "login": "account"},
        {"host": "https://acc.blob.core.windows.net?sv=2024&sig=SECRET", "login": "account"},
        {"extra": {"sas_token": "https:/acc.blob.core.windows.net/?sv=2024&sig=SECRET"}, "login": "account"},
        {"extra": {"sas_token": "https//?sv=2024&sig=SECRET"}, "login": "account"},
        {"extra": {"sas_token": "sv=2024&sig=SECRET"}, "login": "account", "host": "x"},
        {"extra": {"connection_string": "BlobEndpoint=https:/x;SharedAccessSignature=sv=1&sig=SECRET"}},
    ],
)
async def test_no_sentence_has_a_signature(connect, fields):
    said = []
    try:
        async with connect(**fields).store():
            pass
    except (ConfigError, CredentialsError) as error:
        said = [str(error), str(error.__cause__)]
    assert "SECRET" not in " ".join(said)
