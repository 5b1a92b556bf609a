"""Which sentence a person reads when a connection cannot be had. The real backend, a vault that speaks the protocol."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request

import pytest
from airflow.sdk import BaseHook
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from drive_backup_airflow.vault import ExplainedConnections, get_connection_or_explain
from include.drive_backup.errors import (
    ConfigError,
    CredentialsError,
    SecretMissingError,
    ServiceUnavailableError,
)

BACKEND = "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend"
SECRET = "airflow-connections-drive-backup-blob"


class Vault:
    """The server, and a client to fill it with."""

    def __init__(self, server) -> None:
        self.server = server
        self.url = server.info["url"]
        self.secrets = SecretClient(self.url, ManagedIdentityCredential(), verify_challenge_resource=False)

    def fault(self, kind: str) -> None:
        context = ssl.create_default_context(cafile=self.server.info["ca_bundle"])
        body = json.dumps({"kind": kind}).encode()
        request = urllib.request.Request(f"{self.url}/_admin/faults", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, context=context).read()


def configure(monkeypatch, url: str, **kwargs) -> None:
    options = {"vault_url": url, "verify_challenge_resource": False, "retry_total": 0, **kwargs}
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", BACKEND)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(options))


@pytest.fixture
def vault(keyvault_server, monkeypatch) -> Vault:
    configure(monkeypatch, keyvault_server.info["url"])
    return Vault(keyvault_server)


@pytest.mark.integration
def test_a_connection_in_the_vault_is_found(vault):
    vault.secrets.set_secret(SECRET, json.dumps({"conn_type": "wasb", "login": "account"}))
    assert get_connection_or_explain("drive_backup_blob").login == "account"


@pytest.mark.integration
def test_a_missing_secret_is_named_with_the_command_that_sets_it(vault):
    with pytest.raises(SecretMissingError) as caught:
        get_connection_or_explain("drive_backup_blob")
    assert f"no secret '{SECRET}' in {vault.url}" in str(caught.value)
    assert f"az keyvault secret set --vault-name <name> --name {SECRET} --file" in str(caught.value)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["503", "429"])
def test_a_sick_vault_is_transient(vault, kind):
    vault.secrets.set_secret(SECRET, "{}")
    vault.fault(kind)
    with pytest.raises(ServiceUnavailableError, match="did not answer") as caught:
        get_connection_or_explain("drive_backup_blob")
    assert caught.value.service == "vault"


@pytest.mark.integration
def test_a_dead_vault_is_transient_and_soon_found_out(vault):
    vault.server.stop()
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError):
        get_connection_or_explain("drive_backup_blob")
    assert time.monotonic() - started < 10


@pytest.mark.integration
def test_a_hanging_vault_is_transient_and_soon_found_out(vault, monkeypatch):
    vault.secrets.set_secret(SECRET, "{}")
    configure(monkeypatch, vault.url, read_timeout=1)
    vault.fault("hang")
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError):
        get_connection_or_explain("drive_backup_blob")
    assert time.monotonic() - started < 10


@pytest.mark.integration
def test_a_refusal_names_the_role(vault):
    vault.secrets.set_secret(SECRET, "{}")
    vault.fault("403")
    with pytest.raises(CredentialsError, match="Key Vault Secrets User"):
        get_connection_or_explain("drive_backup_blob")


@pytest.mark.integration
def test_an_identity_without_a_token_is_a_matter_of_credentials(vault, monkeypatch):
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(CredentialsError, match="Key Vault Secrets User"):
        get_connection_or_explain("drive_backup_blob")


@pytest.mark.integration
def test_a_disabled_secret_says_how_to_enable_it(vault):
    vault.secrets.set_secret(SECRET, "{}", enabled=False)
    with pytest.raises(CredentialsError, match="--enabled true") as caught:
        get_connection_or_explain("drive_backup_blob")
    assert caught.value.reason == "SecretDisabled"


@pytest.mark.integration
def test_a_secret_that_is_no_connection_says_what_it_must_be(vault):
    vault.secrets.set_secret(SECRET, "{not JSON")
    with pytest.raises(ConfigError, match="must be JSON such as"):
        get_connection_or_explain("drive_backup_blob")


@pytest.mark.integration
def test_a_name_that_no_secret_can_have(vault):
    with pytest.raises(SecretMissingError, match="no name for a secret"):
        get_connection_or_explain("drive.backup")


@pytest.mark.integration
async def test_hooks_explain_in_and_outside_an_event_loop(vault):
    class Hook(ExplainedConnections, BaseHook):
        pass

    with pytest.raises(SecretMissingError):
        Hook.get_connection("drive_backup_blob")
    with pytest.raises(SecretMissingError):
        await Hook.aget_connection("drive_backup_blob")
    vault.secrets.set_secret(SECRET, json.dumps({"conn_type": "wasb", "login": "account"}))
    assert (await Hook.aget_connection("drive_backup_blob")).login == "account"


def test_without_a_vault_the_sentence_names_the_places():
    with pytest.raises(SecretMissingError, match="AIRFLOW_CONN_DRIVE_BACKUP_BLOB"):
        get_connection_or_explain("drive_backup_blob")


def test_a_vault_that_is_not_asked_for_connections_is_not_blamed(monkeypatch):
    configure(monkeypatch, "https://127.0.0.1:9", connections_prefix=None)
    with pytest.raises(SecretMissingError, match="Admin → Connections"):
        get_connection_or_explain("drive_backup_blob")


def test_the_environment_is_enough(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DRIVE_BACKUP_BLOB", "wasb://account@")
    assert get_connection_or_explain("drive_backup_blob").conn_type == "wasb"


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({}, "no vault_url"),
        ({"vault_url": ""}, "no vault_url"),
        ({"vault_url": "http://name.vault.azure.net"}, "does not begin with https"),
        ({"vault_url": "name.vault.azure.net"}, "no vault_url"),
        ({"vault_url": "https://"}, "no vault_url"),
    ],
)
def test_a_vault_that_is_not_named_as_it_must_be_is_said_and_not_tried_again(monkeypatch, kwargs, sentence):
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", BACKEND)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(kwargs))
    with pytest.raises(ConfigError) as caught:
        get_connection_or_explain("drive_backup_blob")
    assert sentence in str(caught.value)
    assert "AIRFLOW__SECRETS__BACKEND_KWARGS" in str(caught.value)


@pytest.mark.parametrize("text", ["{not JSON", "[]", '"https://name.vault.azure.net"', '{"no_such_option": 1}'])
def test_settings_of_the_backend_that_cannot_be_read_are_a_sentence(monkeypatch, text):
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", BACKEND)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", text)
    with pytest.raises(ConfigError, match="AIRFLOW__SECRETS__BACKEND_KWARGS"):
        get_connection_or_explain("drive_backup_blob")
