"""The local cloud for tests: real servers on free ports, started and stopped by fixtures.

A conftest imports the fixtures that it wants: ``azurite``, ``azurite_container``, ``eventhubs_server``, ``event_hub``,
``keyvault_server``. Those that last a session are shared; what a test needs for itself alone (a container, a hub, a
server that it may kill) is its own.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from include.local_cloud.process import Service, free_port, module, start

HUBS = [f"hub-{number}" for number in range(60)]


class Server:
    """A service that a test can stop, kill and start again on the same port with the same state.

    :param name: the module under ``include.local_cloud``.
    :param state: its state folder.
    """

    def __init__(self, name: str, state: Path, *arguments: str) -> None:
        self.name = name
        self.state = state
        self.arguments = arguments
        self.service: Service | None = None

    @property
    def info(self) -> dict[str, str]:
        """The ready line."""
        return self.service.info

    def start(self) -> Server:
        """Start it, or start it again."""
        command = module(f"include.local_cloud.{self.name}", "--state", str(self.state), *self.arguments)
        self.service = start(self.name, command, state=self.state)
        return self

    def stop(self) -> None:
        """SIGTERM."""
        if self.service is not None:
            self.service.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self.service.kill()


@contextmanager
def eventhubs(state: Path, *arguments: str) -> Iterator[Server]:
    """Event Hubs with a port that stays the same over restarts."""
    server = Server("eventhubs", state, "--port", str(free_port()), *arguments)
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def keyvault(state: Path, *arguments: str) -> Iterator[Server]:
    """Key Vault and identity with ports that stay the same over restarts."""
    ports = ("--port", str(free_port()), "--identity-port", str(free_port()))
    server = Server("keyvault", state, *ports, *arguments)
    try:
        yield server.start()
    finally:
        server.stop()


def start_azurite(folder: Path, *, port: int | None = None) -> Service:
    """Azurite with its data in ``folder``; stop it with much grace."""
    arguments = ("--port", str(port or free_port()), "--location", str(folder / "data"))
    return start("azurite", module("include.local_cloud.azurite", *arguments), state=folder, timeout=1_000)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite that lasts for the session."""
    service = start_azurite(tmp_path_factory.mktemp("azurite"))
    try:
        yield service.info["connection_string"]
    finally:
        service.stop(grace=120)


@pytest.fixture
def azurite_container(azurite: str) -> str:
    """The name of an empty container of this test's own."""
    name = f"test-{uuid.uuid4().hex}"
    with BlobServiceClient.from_connection_string(azurite) as client:
        client.create_container(name)
    return name


@pytest.fixture(scope="session")
def shared_eventhubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Event Hubs with many hubs."""
    hubs = itertools.chain.from_iterable(("--hub", name) for name in HUBS)
    with eventhubs(tmp_path_factory.mktemp("eventhubs"), "--group", "archive", *hubs) as server:
        server.free = iter(HUBS)
        yield server


@pytest.fixture
def event_hub(shared_eventhubs: Server) -> str:
    """The connection string of an empty hub with four partitions, of this test's own."""
    return shared_eventhubs.info["connection_string"].replace(f"={HUBS[0]}", f"={next(shared_eventhubs.free)}")


@pytest.fixture
def eventhubs_server(tmp_path: Path) -> Iterator[Server]:
    """An Event Hubs of this test's own, to be stopped and killed. Its hub is ``drive-backup``."""
    with eventhubs(tmp_path / "eventhubs") as server:
        yield server


@pytest.fixture
def keyvault_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A Key Vault of this test's own, with this process's identity pointed at it."""
    with keyvault(tmp_path / "keyvault") as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", server.info["identity_endpoint"])
        monkeypatch.setenv("IDENTITY_HEADER", server.info["identity_header"])
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.info["ca_bundle"])
        monkeypatch.setenv("SSL_CERT_FILE", server.info["ca_bundle"])
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        yield server
