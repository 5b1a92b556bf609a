"""What Airflow finds in the plugins folder, seen from a fresh process as in every component."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

LOAD = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
hook = manager.hooks.get("azure_event_hubs")
print("RESULT" + json.dumps({
    "plugins": [plugin.name for plugin in plugins if str(plugin.source).startswith("$PLUGINS_FOLDER")],
    "errors": {k: v for k, v in errors.items()},
    "modules": sorted(
        name for name, module in sys.modules.items()
        if "/drive_backup_airflow/" in str(getattr(module, "__file__", ""))
        and name.split(".")[0] != "drive_backup_airflow"
    ),
    "links": [link.name for link in plugins_manager.get_operator_extra_links() if "drive" in type(link).__module__],
    "hook": hook and [hook.hook_name, hook.hook_class_name],
    "fields": sorted(name for name in manager.connection_form_widgets if "azure_event_hubs" in name),
    "labels": manager.field_behaviours.get("azure_event_hubs", {}).get("relabeling"),
    "google": "google_cloud_platform" in manager.hooks,
}))
"""


def load(plugins: Path, home: Path) -> dict:
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "PYTHONPATH": f"{ROOT}:{plugins}",
    }
    done = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.split("RESULT", 1)[1])


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    return load(ROOT / "plugins", tmp_path_factory.mktemp("home"))


def test_one_plugin_loads_without_errors(found):
    assert (found["plugins"], found["errors"]) == (["drive_backup"], {})


def test_no_module_of_ours_is_loaded_under_a_bare_name(found):
    assert found["modules"] == []


def test_the_links_are_listed(found):
    assert sorted(found["links"]) == ["Open container in Azure Portal", "Open manifest"]


def test_the_connection_type_is_known_to_the_form_and_hides_no_other(found):
    assert found["hook"] == ["Azure Event Hubs", "drive_backup_airflow.hooks.eventhub.AzureEventHubsHook"]
    assert "extra__azure_event_hubs__tenant_id" in found["fields"]
    assert found["labels"]["host"] == "Namespace"
    assert found["google"]


def test_without_the_ignore_file_the_loader_would_run_everything(tmp_path):
    """The file is what keeps the two tests above green."""
    copy = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", copy, ignore=shutil.ignore_patterns(".airflowignore", "__pycache__"))
    found = load(copy, tmp_path / "home")
    assert {"links", "notifier", "vault"} <= set(found["modules"])
