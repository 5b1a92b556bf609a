"""The vault as the real clients and Airflow's secrets backend see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import ApiVersion, SecretClient

from include.local_cloud.process import free_port, module

pytestmark = pytest.mark.integration


@pytest.fixture
def client(keyvault_server):
    with open_client(keyvault_server) as client:
        yield client


def open_client(server, **options):
    options = {"verify_challenge_resource": False} | options
    return SecretClient(server.info["url"], DefaultAzureCredential(), **options)


def test_a_secret_comes_back_as_it_was_set(client, keyvault_server):
    value = '{"text": "Ünï €", "key": "-----BEGIN\\n"}'
    made = client.set_secret("airflow-connections-x", value, content_type="application/json", tags={"a": "b"})
    got = client.get_secret("airflow-connections-x")
    assert (got.value, got.properties.content_type, got.properties.tags) == (value, "application/json", {"a": "b"})
    assert got.id == made.id == f"{keyvault_server.info['url']}/secrets/{got.name}/{got.properties.version}"
    assert got.properties.enabled
    assert got.properties.created_on == got.properties.updated_on


def test_each_set_makes_a_version_and_the_last_one_is_current(client):
    versions = [client.set_secret("s", value).properties.version for value in ("1", "2", "3")]
    assert client.get_secret("s").value == "3"
    assert client.get_secret("s", versions[0]).value == "1"
    assert [each.version for each in client.list_properties_of_secret_versions("s")] == versions
    assert [each.name for each in client.list_properties_of_secrets()] == ["s"]


def test_names_are_compared_without_case(client):
    client.set_secret("My-Secret", "1")
    assert client.get_secret("my-secret").name == "My-Secret"


def test_lists_are_cut_into_pages_and_hold_every_name_once(client):
    names = [f"s-{number:03d}" for number in range(60)]
    for name in names:
        client.set_secret(name, "x")
    assert [each.name for each in client.list_properties_of_secrets()] == names
    assert [len(list(page)) for page in client.list_properties_of_secrets().by_page()] == [25, 25, 10]


def test_a_disabled_secret_is_refused_until_it_is_enabled(client):
    client.set_secret("s", "x")
    client.update_secret_properties("s", enabled=False)
    with pytest.raises(HttpResponseError, match="disabled secret") as refused:
        client.get_secret("s")
    assert refused.value.status_code == 403
    assert refused.value.error.innererror["code"] == "SecretDisabled"
    client.update_secret_properties("s", enabled=True)
    assert client.get_secret("s").value == "x"


def test_a_missing_secret_or_version_is_404(client):
    client.set_secret("there", "x")
    for name, version in (("missing", None), ("there", "0" * 32)):
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            client.get_secret(name, version)


def test_a_deleted_secret_blocks_its_name_until_it_is_recovered_or_purged(client):
    client.set_secret("s", "1")
    deleted = client.begin_delete_secret("s").result()
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("s")
    with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
        client.set_secret("s", "2")
    assert [each.name for each in client.list_deleted_secrets()] == ["s"]
    client.begin_recover_deleted_secret("s").wait()
    assert client.get_secret("s").value == "1"
    client.begin_delete_secret("s").wait()
    client.purge_deleted_secret("s")
    assert client.set_secret("s", "3").properties.version


@pytest.mark.parametrize("name", ["under_score", "dot.ted", "x" * 128, "blank name"])
def test_a_name_outside_the_rules_is_refused(client, name):
    with pytest.raises(HttpResponseError, match="BadParameter") as refused:
        client.set_secret(name, "x")
    assert refused.value.status_code == 400


def test_the_longest_name_and_the_largest_value_fit_and_one_byte_more_does_not(client):
    client.set_secret("x" * 127, "v" * 25_600)
    assert len(client.get_secret("x" * 127).value) == 25_600
    with pytest.raises(HttpResponseError, match="maximum of 25600 bytes"):
        client.set_secret("s", "v" * 25_601)
    with pytest.raises(HttpResponseError, match="maximum of 25600 bytes"):
        client.set_secret("s", "ü" * 12_801)


def test_older_api_versions_are_served_and_unknown_ones_refused(keyvault_server, client):
    client.set_secret("s", "x")
    with open_client(keyvault_server, api_version=ApiVersion.V7_4) as older:
        assert older.get_secret("s").value == "x"
    with (
        open_client(keyvault_server, api_version="1.0") as unknown,
        pytest.raises((HttpResponseError, NotImplementedError), match=r"api-version|not supported"),
    ):
        unknown.get_secret("s")


def test_secrets_survive_a_restart_and_the_certificate_is_still_trusted(keyvault_server, client):
    version = client.set_secret("s", "kept").properties.version
    bundle = Path(keyvault_server.info["ca_bundle"]).read_bytes()
    keyvault_server.stop()
    keyvault_server.start()
    assert client.get_secret("s", version).value == "kept"
    with open_client(keyvault_server) as fresh:
        assert fresh.get_secret("s").value == "kept"
    assert Path(keyvault_server.info["ca_bundle"]).read_bytes() == bundle


def test_a_killed_vault_keeps_every_secret_that_it_acknowledged(keyvault_server, client):
    for number in range(20):
        client.set_secret(f"s-{number}", str(number))
    keyvault_server.kill()
    keyvault_server.start()
    assert [client.get_secret(f"s-{number}").value for number in range(20)] == [str(number) for number in range(20)]


def test_only_the_owner_can_read_what_is_kept_and_the_log_holds_no_secret(keyvault_server, client):
    client.set_secret("s", "very-secret-value")
    for name in ("secrets.json", "token-private-key.pem", "ca-key.pem", "identity-header"):
        assert (keyvault_server.state / name).stat().st_mode & 0o777 == 0o600, name
    log = keyvault_server.service.log.read_text()
    assert "very-secret-value" not in log
    assert keyvault_server.info["identity_header"] not in log


ASYNCHRONOUS = """
import asyncio, os
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient

async def main():
    async with DefaultAzureCredential() as credential:
        async with SecretClient(os.environ["VAULT"], credential, verify_challenge_resource=False) as client:
            await client.set_secret("s", "x")
            value = (await client.get_secret("s")).value
            print(value, [each.name async for each in client.list_properties_of_secrets()])

asyncio.run(main())
"""


def test_the_asynchronous_client_works_the_same(keyvault_server):
    # In a process of its own: aiohttp reads SSL_CERT_FILE when it is imported.
    environment = os.environ | {"VAULT": keyvault_server.info["url"]}
    command = [sys.executable, "-c", ASYNCHRONOUS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("x ['s']\n", "")


def test_airflows_secrets_backend_finds_connections(keyvault_server, client):
    from airflow.providers.microsoft.azure.secrets.key_vault import AzureKeyVaultBackend

    connection = {"conn_type": "wasb", "extra": {"connection_string": "UseDevelopmentStorage=true"}}
    client.set_secret("airflow-connections-drive-backup-blob", json.dumps(connection))
    backend = AzureKeyVaultBackend(vault_url=keyvault_server.info["url"], verify_challenge_resource=False)
    assert json.loads(backend.get_conn_value("drive_backup_blob")) == connection
    assert backend.get_conn_value("not_there") is None


def test_a_port_that_is_taken_is_one_sentence(keyvault_server, tmp_path):
    port = keyvault_server.info["url"].rpartition(":")[2]
    for taken in (("--port", port, "--identity-port", "0"), ("--port", str(free_port()), "--identity-port", port)):
        command = module("include.local_cloud.keyvault", *taken, "--state", str(tmp_path / "other"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Key Vault cannot listen on 127.0.0.1:{port}: the port is taken.")
        assert done.stderr.count("\n") == 1
