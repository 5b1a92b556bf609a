"""docker-compose.yaml, as far as it can be checked without Docker.

``compose-spec.json`` is the Compose Specification's schema (Apache-2.0, compose-spec/compose-spec, as in npm's
dclint 3.1.0).
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from airflow.configuration import AirflowConfigParser, retrieve_configuration_description
from cryptography.fernet import Fernet
from jsonschema import Draft7Validator

from include.demo.compose_env import fill

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
AIRFLOW = {name: each for name, each in SERVICES.items() if name.startswith("airflow-")}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)")
WHOLE_ENV = fill((ROOT / ".env.example").read_text())


def command(service: dict) -> list[str]:
    found = service["command"]
    return shlex.split(found) if isinstance(found, str) else found


def test_the_schema_accepts_it():
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    errors = [f"{list(each.absolute_path)}: {each.message}" for each in Draft7Validator(schema).iter_errors(COMPOSE)]
    assert errors == []


def test_what_services_wait_for_exists_and_can_be_waited_for():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other].get("restart", "no") == "no", f"{name} waits for the end of {other}"


def test_nobody_waits_for_himself_in_the_end():
    left = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while free := [name for name, needs in left.items() if not needs & set(left)]:
        for name in free:
            del left[name]
    assert not left


def test_every_long_running_service_has_a_health_check_but_the_hub():
    without = {name for name, each in SERVICES.items() if "healthcheck" not in each}
    assert without == {"airflow-init", "seed-vault", "eventhubs"}


def test_every_image_is_pinned():
    images = {each["image"] for each in SERVICES.values()} - {"drive-backup:local"}
    images |= set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    images |= set(re.findall(r"^FROM (\S+)", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    for image in images:
        tag = image.rpartition("/")[2].partition(":")[2]
        assert re.search(r"\d+\.\d+", tag), image


def test_the_image_has_the_airflow_of_the_lock_file():
    version = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]
    assert f"apache/airflow:slim-{version}-" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_every_variable_is_in_the_example_and_the_other_way_round():
    assert set(VARIABLE.findall(TEXT)) == set(re.findall(r"^(\w+)=", WHOLE_ENV, re.MULTILINE))


def test_every_secret_must_be_set():
    """Compose would put an empty string for a missing variable; an empty Fernet key stores secrets in the clear."""
    for name in VARIABLE.findall(TEXT):
        if name != "AIRFLOW_PORT":
            assert not re.search(rf"\$\{{{name}(?!:\?)", TEXT), name


def test_no_secret_is_in_any_file():
    """Whatever is named like a secret comes from the environment. The emulator's word is public, and no key."""
    without = re.sub(r"\$\{[^}]*\}", "", TEXT)
    found = re.findall(r"(\w*(?:KEY|PASSWORD|SECRET|HEADER|Key)\w*)(?:=|: )([^\s;]+)", without)
    literal = {name: value for name, value in found if not value.startswith("/") and "SECRETS__BACKEND" not in name}
    assert literal == {"SharedAccessKeyName": "RootManageSharedAccessKey", "SharedAccessKey": "SAS_KEY_VALUE"}
    assert not re.findall(r"^(?!AIRFLOW_PORT)\w+=.+", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for file in (ROOT / "deploy").iterdir():
        assert not re.search(r"AccountKey=|PRIVATE KEY|[A-Za-z0-9+/]{60,}={0,2}", file.read_text()), file


def test_every_airflow_service_finds_the_project_and_shares_the_keys():
    assert len(AIRFLOW) == 5
    for service in AIRFLOW.values():
        assert service["environment"] == AIRFLOW["airflow-init"]["environment"]
    environment = AIRFLOW["airflow-init"]["environment"]
    assert environment["PYTHONPATH"] == "/opt/airflow:/opt/airflow/plugins"
    for key in ("CORE__FERNET_KEY", "API_AUTH__JWT_SECRET", "CORE__EXECUTION_API_SERVER_URL"):
        assert environment[f"AIRFLOW__{key}"]
    assert "PYTHONPATH=/opt/airflow:/opt/airflow/plugins" in (ROOT / "deploy" / "Dockerfile").read_text()
    assert "PYTHONPATH=/usr/local/airflow:/usr/local/airflow/plugins" in (ROOT / "Dockerfile").read_text()


def test_every_airflow_option_exists():
    known = retrieve_configuration_description()
    for name in AIRFLOW["airflow-init"]["environment"]:
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__")
            assert option in known[section]["options"], name
            assert (section, option) not in AirflowConfigParser.deprecated_options.values(), name


def test_the_vault_is_configured_as_its_backend_takes_it():
    kwargs = json.loads(AIRFLOW["airflow-init"]["environment"]["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    from airflow.providers.microsoft.azure.secrets.key_vault import AzureKeyVaultBackend

    backend = AzureKeyVaultBackend(**kwargs)
    assert (backend.vault_url, backend.connections_prefix) == ("https://keyvault:8443", "airflow-connections")
    assert backend.kwargs == {"verify_challenge_resource": False}


def test_every_host_that_is_named_is_a_service():
    hosts = set(re.findall(r"(?:https?://|sb://|@)([\w-]+)", TEXT)) - {"localhost"}
    assert hosts <= set(SERVICES)
    for variable in ("BLOB_SERVER", "METADATA_SERVER"):
        assert SERVICES["eventhubs"]["environment"][variable] in SERVICES


def test_every_path_that_is_mounted_exists():
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (
                f"{name}: {source}"
            )
            if name in OURS and not source.startswith(".") and target != "/opt/airflow/drive":
                # Docker makes a folder that is not in the image for root, and Airflow could not write there.
                assert target.removeprefix("/opt/airflow/") in ("logs", "auth", "state", "drive_backup_outbox")


def test_the_image_copies_what_exists():
    for file in ("Dockerfile", "deploy/Dockerfile"):
        for line in re.findall(r"^COPY (?:--\S+ )*(.+)", (ROOT / file).read_text(), re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source
    assert (ROOT / "packages.txt").exists()  # the runtime's ONBUILD steps copy it
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ".env" in ignored
    assert not {"dags", "plugins", "include", "deploy", "requirements.lock"} & set(ignored)


def stand_ins() -> list[tuple[str, list[str]]]:
    return [(name, command(each)) for name, each in OURS.items() if "-m" in command(each)]


@pytest.mark.parametrize(("name", "words"), stand_ins())
def test_the_options_of_every_stand_in_exist(name, words):
    done = subprocess.run([sys.executable, *words[1:3], "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", done.stdout), f"{name}: {option}"


def test_there_are_two_stand_ins():
    assert [name for name, _ in stand_ins()] == ["drive", "keyvault"]


def test_the_image_has_what_the_stand_ins_import():
    """They are part of the image, but not of the run time that requirements.lock is for."""
    lines = [*(ROOT / "requirements.lock").open(), *(ROOT / "deploy" / "requirements.txt").open()]
    installed = {match[0].lower().replace("_", "-") for line in lines if (match := re.match(r"[\w.-]+(?===)", line))}
    names = {"jwt": "pyjwt", "google": "google-auth"}
    files = [ROOT / "include/local_cloud/ready.py"]
    for folder in ("drive", "keyvault"):
        files += (ROOT / "include/local_cloud" / folder).rglob("*.py")
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"include"}:
                assert names.get(top, top) in installed, f"{file.name} imports {top}"


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(set(AIRFLOW) - {"airflow-init"}))
def test_every_airflow_command_exists(name):
    run_airflow(command(SERVICES[name]))


@pytest.mark.integration
def test_the_commands_of_the_first_start_exist():
    lines = [line for line in command(SERVICES["airflow-init"])[-1].splitlines() if line]
    assert all(line.startswith("airflow ") for line in lines)
    for line in lines:
        run_airflow(shlex.split(line)[1:3])


def run_airflow(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *words, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_pool_is_as_large_as_the_config_says():
    limits = yaml.safe_load((ROOT / "include" / "drive_backup.yaml").read_text())["limits"]
    assert f"pools set drive_backup {limits['tasks_at_once']} " in command(SERVICES["airflow-init"])[-1]


def test_the_hub_of_the_emulator_is_the_one_that_events_go_to():
    config = json.loads((ROOT / "deploy" / "eventhubs.json").read_text())
    (namespace,) = config["UserConfig"]["NamespaceConfig"]
    (hub,) = namespace["Entities"]
    assert namespace["Name"] == "emulatorNs1"  # the only one that the emulator takes
    assert f"EntityPath={hub['Name']}" in SERVICES["seed-vault"]["environment"]["EVENTS_CONNECTION_STRING"]
    assert hub["ConsumerGroups"]
    assert "$default" not in str(hub).lower()


def test_fresh_secrets_are_fresh_and_fit():
    values = dict(line.split("=", 1) for line in WHOLE_ENV.splitlines() if re.match(r"\w+=", line))
    again = dict(line.split("=", 1) for line in fill((ROOT / ".env.example").read_text()).splitlines() if "=" in line)
    assert all(values.values())
    assert all(values[name] != again[name] for name in values if name != "AIRFLOW_PORT")
    Fernet(values["AIRFLOW_FERNET_KEY"])
    assert len(values["AIRFLOW_JWT_SECRET"]) >= 64
    # It stands in a URL, where a slash or an @ would end it.
    assert re.fullmatch(r"[\w-]+", values["POSTGRES_PASSWORD"])
