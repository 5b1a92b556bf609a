"""All four services together: Drive, Blob, Event Hubs, Key Vault with a managed identity."""

from __future__ import annotations

import json
import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient

from include.local_cloud.process import Service, ServiceError, free_port, module, running, start
from include.local_cloud.ready import port_taken

HOST = "127.0.0.1"
HUB = "drive-backup"
SUBJECT = "ann@example.com"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
CONNECTIONS_PREFIX = "airflow-connections"
#: Azurite writes its index before it ends, however long that takes.
AZURITE_GRACE = 120
#: Azurite may have to be installed first.
AZURITE_START = 1_000


class Ports(NamedTuple):
    """TCP ports; 0 takes a free one."""

    drive: int = 0
    blob: int = 0
    events: int = 0
    vault: int = 0
    identity: int = 0


class LocalCloud:
    """Runs the services from ``with`` to its end. Their data is in the state folder and outlives them.

    Enter it in a thread that lives as long as it: on Linux the services end with the thread that started them.

    :param state_dir: folder for the state, logs and PID files of all services.
    :param drive_backend: ``sample``, ``generated`` or ``folder``.
    :param drive_root: the folder to serve as a Drive, for the backend ``folder``.
    """

    def __init__(
        self,
        state_dir: Path,
        drive_backend: str = "sample",
        drive_root: Path | None = None,
        ports: Ports | None = None,
    ) -> None:
        self.state = state_dir.resolve()
        self._backend = drive_backend
        self._root = drive_root
        self._ports = Ports(*(port or free_port() for port in ports or Ports()))
        self.services: dict[str, Service] = {}

    def __enter__(self) -> Self:
        """Start all.

        :raises ServiceError: with a sentence, when one cannot be started; then none is left running.
        """
        self._check()
        try:
            self._start("keyvault", *self._vault_command())
            token_key = self.services["keyvault"].info["token_key"]
            self._start("eventhubs", "--port", str(self._ports.events), "--hub", HUB, "--token-key", token_key)
            self._start("drive", *self._drive_command())
            self._start_azurite()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop all."""
        self.stop()

    def stop(self) -> None:
        """Stop what runs, last started first."""
        while self.services:
            name, service = self.services.popitem()
            service.stop(AZURITE_GRACE if name == "azurite" else 10)

    def dead(self) -> list[Service]:
        """Services that ended by themselves."""
        return [service for service in self.services.values() if not service.alive]

    @property
    def urls(self) -> dict[str, str]:
        """The address of each service, by name: ``drive``, ``azurite``, ``eventhubs``, ``keyvault``."""
        return {name: service.info["url"] for name, service in self.services.items()}

    def env(self) -> dict[str, str]:
        """Variables that Azure's and Google's clients need, for the process that runs them.

        ``AZURE_TOKEN_CREDENTIALS`` keeps DefaultAzureCredential from taking a real identity of this machine.
        """
        vault = self.services["keyvault"].info
        return {
            "IDENTITY_ENDPOINT": vault["identity_endpoint"],
            "IDENTITY_HEADER": vault["identity_header"],
            "REQUESTS_CA_BUNDLE": vault["ca_bundle"],
            "SSL_CERT_FILE": vault["ca_bundle"],
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow connections to these services, by connection id."""
        account = json.loads((self.state / "drive" / "service-account.json").read_text())
        google = {
            "keyfile_dict": account,
            "scope": SCOPE,
            "api_endpoint": self.urls["drive"],
            "subject": SUBJECT,
        }
        blob = {"connection_string": self.services["azurite"].info["connection_string"]}
        events = {"connection_string": self.services["eventhubs"].info["connection_string"], "eventhub_name": HUB}
        return {
            "drive_backup_google": {"conn_type": "google_cloud_platform", "extra": google},
            "drive_backup_blob": {"conn_type": "wasb", "extra": blob},
            "drive_backup_events": {"conn_type": "azure_event_hubs", "extra": events},
        }

    def put_connections(self, connections: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write connections into the vault, as Airflow's Key Vault backend looks them up.

        :param connections: connection id to its JSON; without them, those of :meth:`connections`.
        """
        vault = self.services["keyvault"].info
        with SecretClient(
            vault["url"],
            _LocalIdentity(vault),
            verify_challenge_resource=False,
            connection_verify=vault["ca_bundle"],
        ) as client:
            for ident, connection in (connections or self.connections()).items():
                name = f"{CONNECTIONS_PREFIX}-{ident}".replace("_", "-")
                client.set_secret(name, json.dumps(connection), content_type="application/json")

    def _check(self) -> None:
        """What can be known before anything is started."""
        others = [str(other.pid) for other in running(self.state)]
        if others:
            raise ServiceError(
                f"The local cloud runs already with the state folder {self.state} (processes {', '.join(others)}). "
                "Stop it first, or use another folder."
            )
        for name, port in self._ports._asdict().items():
            try:
                socket.create_server((HOST, port)).close()
            except OSError as error:
                raise ServiceError(port_taken(error, f"The local cloud's {name} service", HOST, port)) from error

    def _start(self, name: str, *arguments: str) -> None:
        state = self.state / name
        command = module(f"include.local_cloud.{name}", *arguments, "--state", str(state))
        self.services[name] = start(name, command, state=self.state)

    def _start_azurite(self) -> None:
        location = self.state / "azurite"
        arguments = ("--port", str(self._ports.blob), "--location", str(location))
        command = module("include.local_cloud.azurite", *arguments)
        self.services["azurite"] = start("azurite", command, state=self.state, timeout=AZURITE_START)

    def _vault_command(self) -> tuple[str, ...]:
        return "--port", str(self._ports.vault), "--identity-port", str(self._ports.identity)

    def _drive_command(self) -> tuple[str, ...]:
        root = ("--root", str(self._root.resolve())) if self._root else ()
        return "--port", str(self._ports.drive), "--host", HOST, "--backend", self._backend, *root


class _LocalIdentity:
    """The managed identity of this cloud, without the environment variables that name it to everybody else."""

    def __init__(self, vault: Mapping[str, str]) -> None:
        self._vault = vault

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for the first scope."""
        query = urllib.parse.urlencode({"api-version": "2019-08-01", "resource": scopes[0].removesuffix("/.default")})
        request = urllib.request.Request(  # noqa: S310 - our own endpoint
            f"{self._vault['identity_endpoint']}?{query}",
            headers={"X-IDENTITY-HEADER": self._vault["identity_header"]},
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
            answer = json.load(response)
        return AccessToken(answer["access_token"], int(answer["expires_on"]))
