"""What docker compose puts into the vault is what Airflow finds there."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from airflow.sdk import Connection
from azure.eventhub.aio import EventHubProducerClient
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient

from drive_backup_airflow.hooks.eventhub import read_settings

ROOT = Path(__file__).parents[2]
SEED = ROOT / "deploy" / "seed_vault.py"
SERVICE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["seed-vault"]


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """As compose would give it, with a key file of this test's own."""
    (tmp_path / "account.json").write_text(json.dumps({"type": "service_account", "client_email": "a@example.com"}))
    values = {
        name: value.replace("${AZURITE_KEY:?run make env}", "a2V5") for name, value in SERVICE["environment"].items()
    }
    return values | {"DRIVE_KEY_FILE": str(tmp_path / "account.json")}


def test_every_connection_is_one_that_its_client_takes(environment):
    made = runpy.run_path(str(SEED))["connections"](environment)
    blob = BlobServiceClient.from_connection_string(made["drive_backup_blob"]["extra"]["connection_string"])
    assert (blob.account_name, blob.url) == ("drivebackup", "http://azurite:10000/drivebackup/")
    events = made["drive_backup_events"]
    settings = read_settings(
        Connection(conn_id="events", conn_type=events["conn_type"], extra=json.dumps(events["extra"]))
    )
    hub = EventHubProducerClient.from_connection_string(settings.connection_string)
    assert "Endpoint=sb://eventhubs;" in settings.connection_string
    assert hub.eventhub_name == "drive-backup"
    assert made["drive_backup_google"]["extra"]["api_endpoint"] == "http://drive:8090"


@pytest.mark.integration
def test_it_fills_the_vault_and_may_be_run_again(keyvault_server, environment):
    variables = {name: value for name, value in environment.items() if name.isupper() and name not in os.environ}
    variables["VAULT_URL"] = keyvault_server.info["url"]
    for _ in range(2):
        subprocess.run([sys.executable, str(SEED)], env=os.environ | variables, check=True, capture_output=True)
    client = SecretClient(keyvault_server.info["url"], ManagedIdentityCredential(), verify_challenge_resource=False)
    names = {secret.name for secret in client.list_properties_of_secrets()}
    assert names == {f"airflow-connections-drive-backup-{each}" for each in ("google", "blob", "events")}
    value = json.loads(client.get_secret("airflow-connections-drive-backup-blob").value)
    assert value["conn_type"] == "wasb"
