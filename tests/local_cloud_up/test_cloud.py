"""Everything together, as the demo and `python -m include.local_cloud up` use it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient

from include.local_cloud.cloud import LocalCloud, Ports
from include.local_cloud.process import ServiceError, free_port, module, running

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


def secret(cloud, name):
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in cloud.env().items():
            patch.setenv(variable, value)
        options = {"verify_challenge_resource": False}
        with SecretClient(cloud.urls["keyvault"], DefaultAzureCredential(), **options) as client:
            return client.get_secret(name).value


def test_every_service_answers_at_its_url(cloud):
    assert sorted(cloud.urls) == ["azurite", "drive", "eventhubs", "keyvault"]
    for url in cloud.urls.values():
        host, _, port = url.split("/")[2].partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
    assert cloud.dead() == []


def test_the_connections_are_good(cloud):
    connections = cloud.connections()
    assert {ident: each["conn_type"] for ident, each in connections.items()} == {
        "drive_backup_google": "google_cloud_platform",
        "drive_backup_blob": "wasb",
        "drive_backup_events": "azure_event_hubs",
    }
    google = connections["drive_backup_google"]["extra"]
    assert google["keyfile_dict"]["type"] == "service_account"
    assert google["api_endpoint"] == cloud.urls["drive"]
    assert (google["subject"], google["scope"]) == (
        "ann@example.com",
        "https://www.googleapis.com/auth/drive.readonly",
    )
    with BlobServiceClient.from_connection_string(
        connections["drive_backup_blob"]["extra"]["connection_string"]
    ) as blob:
        blob.create_container("there")
    events = connections["drive_backup_events"]["extra"]
    options = {"eventhub_name": events["eventhub_name"]}
    with EventHubProducerClient.from_connection_string(events["connection_string"], **options) as hub:
        hub.send_event(EventData("x"))


def test_the_connections_are_put_where_airflow_looks_for_them(cloud):
    cloud.put_connections()
    cloud.put_connections({"my_own_id": {"conn_type": "http", "host": "example.com"}})
    for ident, connection in cloud.connections().items():
        name = f"airflow-connections-{ident.replace('_', '-')}"
        assert json.loads(secret(cloud, name)) == connection
    assert json.loads(secret(cloud, "airflow-connections-my-own-id"))["host"] == "example.com"


def test_the_event_hub_takes_the_identity_of_this_cloud(cloud, monkeypatch):
    for variable, value in cloud.env().items():
        monkeypatch.setenv(variable, value)
    namespace = cloud.urls["eventhubs"].removeprefix("sb://")
    with EventHubProducerClient(namespace, "drive-backup", DefaultAzureCredential(), use_tls=False) as client:
        client.send_event(EventData("x"))


def test_a_cloud_that_cannot_start_leaves_nothing_behind(tmp_path):
    with pytest.raises(ServiceError, match="drive ended before it was ready"), LocalCloud(tmp_path, "no-such-backend"):
        pytest.fail("it cannot start")
    assert (tmp_path / "eventhubs.log").exists()  # the fault came in the middle
    assert running(tmp_path) == []


def test_what_is_stored_outlives_the_cloud(tmp_path):
    ports = Ports(*(free_port() for _ in Ports()))
    with LocalCloud(tmp_path, ports=ports) as first:
        first.put_connections()
        connections = first.connections()
        with BlobServiceClient.from_connection_string(
            connections["drive_backup_blob"]["extra"]["connection_string"]
        ) as blob:
            blob.create_container("kept")
    with LocalCloud(tmp_path, ports=ports) as second:
        assert second.connections()["drive_backup_events"] == connections["drive_backup_events"]
        assert json.loads(secret(second, "airflow-connections-drive-backup-blob")) == connections["drive_backup_blob"]
        with BlobServiceClient.from_connection_string(
            connections["drive_backup_blob"]["extra"]["connection_string"]
        ) as blob:
            assert [each.name for each in blob.list_containers()] == ["kept"]


class TestUp:
    """The command."""

    def command(self, state, *arguments):
        ports = [f"--{name}-port={free_port()}" for name in Ports._fields]
        return [*module("include.local_cloud", "up", "--state", str(state)), *ports, *arguments]

    def up(self, state, *arguments, **options):
        process = subprocess.Popen(
            self.command(state, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        lines = [process.stdout.readline() for _ in range(6)]
        assert lines[0] == "The local cloud runs; Ctrl-C stops it.\n", process.stderr.read()
        return process, lines

    @pytest.mark.parametrize("started", ["in the foreground", "in the background"])
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_runs_until_it_is_told_to_stop(self, tmp_path, number, started):
        # What a shell does with `&`, and nohup with SIGHUP.
        ignored = [signal.SIGINT, signal.SIGHUP] if started == "in the background" else []

        def ignore():
            for each in (signal.SIGINT, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN if each in ignored else signal.SIG_DFL)

        process, _ = self.up(tmp_path, preexec_fn=ignore)
        children = [psutil.Process(each.pid) for each in running(tmp_path)]
        assert len(children) == 4
        assert (tmp_path / "env.sh").stat().st_mode & 0o777 == 0o600
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert out == "The local cloud has stopped; its data is kept.\n"
        assert not [child for child in children if child.is_running()]

    def test_a_folder_can_be_served_as_the_drive(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "hello.txt").write_text("hello")
        process, lines = self.up(tmp_path / "state", "--drive-root", str(tmp_path / "mine"))
        try:
            url = next(line.split()[1] for line in lines if line.split()[0] == "drive")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{url}/drive/v3/files", timeout=5)
            assert refused.value.code in (401, 403)
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def test_a_service_that_dies_ends_the_rest_with_one_sentence(self, tmp_path):
        process, _ = self.up(tmp_path)
        victim = next(each for each in running(tmp_path) if each.name == "eventhubs")
        os.kill(victim.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err.count("\n")) == (2, 1)
        assert err.startswith("eventhubs ended by itself. See ")
        assert running(tmp_path) == []

    def test_a_second_one_on_the_same_state_is_one_sentence(self, tmp_path):
        process, _ = self.up(tmp_path)
        try:
            done = subprocess.run(self.command(tmp_path), capture_output=True, text=True, timeout=30, check=False)
            assert (done.returncode, done.stderr.count("\n")) == (2, 1)
            assert "The local cloud runs already with the state folder" in done.stderr
            assert len(running(tmp_path)) == 4
        finally:
            process.terminate()
            process.communicate(timeout=30)

    @pytest.mark.parametrize("name", Ports._fields)
    def test_a_port_that_is_taken_is_one_sentence(self, tmp_path, name):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = subprocess.run(
                self.command(tmp_path, f"--{name}-port={port}"), capture_output=True, text=True, timeout=60, check=False
            )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert f"127.0.0.1:{port}" in done.stderr
        assert "taken" in done.stderr
        assert running(tmp_path) == []

    def test_it_stops_what_it_started_when_it_is_killed(self, tmp_path):
        process, _ = self.up(tmp_path)
        children = [psutil.Process(each.pid) for each in running(tmp_path)]
        nodes = [node for child in children for node in child.children()]
        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(children + nodes, timeout=20)
        assert (len(children), len(nodes), alive) == (4, 1, [])


def test_help_says_what_there_is():
    done = subprocess.run(
        [sys.executable, "-m", "include.local_cloud", "up", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "--drive-root" in done.stdout
