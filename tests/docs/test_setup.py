"""What docs/setup-google-azure.md tells people to paste is what the code takes."""

import json
import re
import shlex

import pytest
import yaml

from include.drive_backup.settings import POOL, Config, Connections, load
from tests.docs import markdown

PAGE = "docs/setup-google-azure.md"
TYPES = {"google_cloud_platform", "wasb", "azure_event_hubs"}


def connections():
    return markdown.fenced(PAGE, "json")


@pytest.mark.parametrize("block", connections())
def test_each_connection_is_one_that_airflow_and_our_hooks_take(block):
    from airflow.sdk import Connection

    from drive_backup_airflow.hooks.eventhub import read_settings
    from drive_backup_airflow.hooks.google_credentials import GoogleConnection

    connection = Connection.from_json(block, conn_id="drive_backup")
    assert connection.conn_type in TYPES
    if connection.conn_type == "azure_event_hubs":
        settings = read_settings(connection)
        assert settings.hub == "drive-backup" or "EntityPath=drive-backup" in settings.connection_string
    if connection.conn_type == "google_cloud_platform":
        google = GoogleConnection.of(connection)
        assert google.field("keyfile_dict")["type"] in {"service_account", "authorized_user"}
        assert google.scopes == ["https://www.googleapis.com/auth/drive.readonly"]


def test_there_is_one_connection_of_each_type_before_the_variants():
    first = [json.loads(block)["conn_type"] for block in connections()[:3]]
    assert first == ["google_cloud_platform", "wasb", "azure_event_hubs"]


def environment():
    """The variables of step 6, as a shell would read them."""
    step = markdown.text(PAGE).split("## 6. Environment")[1].split("## 7.")[0]
    return dict(
        shlex.split(line)[0].split("=", 1)
        for line in re.findall(r"^([A-Z_]+=.+)$", step, re.MULTILINE)
        if "<" not in line
    )


def test_the_secrets_are_where_airflows_key_vault_backend_looks():
    from airflow.providers.microsoft.azure.secrets.key_vault import AzureKeyVaultBackend

    backend_class = environment()["AIRFLOW__SECRETS__BACKEND"]
    assert backend_class == f"{AzureKeyVaultBackend.__module__}.{AzureKeyVaultBackend.__name__}"
    backend = AzureKeyVaultBackend(**json.loads(environment()["AIRFLOW__SECRETS__BACKEND_KWARGS"]))
    for field in Connections.model_fields:
        conn_id = getattr(Connections(), field)
        secret = backend.build_path(backend.connections_prefix, conn_id, backend.sep)
        assert f"--name {secret} " in markdown.text(PAGE)
        assert f"**`{secret}`**" in markdown.text(PAGE)


def test_the_example_of_a_config_file_is_valid(tmp_path):
    for block in markdown.fenced(PAGE, "yaml"):
        file = tmp_path / "drive_backup.yaml"
        file.write_text(block, encoding="utf-8")
        loaded = load(file)
        assert loaded.problems == {}
        assert "default" in loaded.jobs


def test_the_pool_of_astro_and_of_the_setup_is_the_one_that_the_dag_uses():
    pools = yaml.safe_load((markdown.ROOT / "airflow_settings.yaml").read_text(encoding="utf-8"))["airflow"]["pools"]
    assert [(each["pool_name"], each["pool_slot"]) for each in pools] == [(POOL, Config().limits.tasks_at_once)]
    assert f"airflow pools set {POOL} " in markdown.text(PAGE)


def test_astro_finds_no_connections_that_would_stand_before_a_missing_secret():
    settings = yaml.safe_load((markdown.ROOT / "airflow_settings.yaml").read_text(encoding="utf-8"))
    assert settings["airflow"]["connections"] == []


def test_the_notifier_example_is_valid():
    text = markdown.text("docs/configuration.md")
    example = re.search(r"((?:^    .+\n)+)", text.split("### Notifiers")[1], re.MULTILINE).group(1)
    data = yaml.safe_load(example)
    assert Config.model_validate(data).notifiers[0].class_.endswith("Notifier")
