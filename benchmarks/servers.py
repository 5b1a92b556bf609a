"""The services that both sides talk to: Drive over TLS, a Blob endpoint that costs nothing, Azurite."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psutil

from include.local_cloud.process import Service, free_port, module, start

#: What a client of the real services waits, in ms. Drive's stand-in adds the first to every call, downloads included.
METADATA_MS, FIRST_BYTE_MS, BLOB_MS = 80, 150, 20
_CERTIFICATE = """
import sys, trustme
ca = trustme.CA()
ca.cert_pem.write_to_path(sys.argv[1] + "/ca.pem")
ca.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(sys.argv[1] + "/server.pem")
"""


@dataclass(frozen=True)
class Tree:
    """A Drive of the generated back end."""

    name: str
    files: int
    folders: int
    sizes: str


class Servers:
    """Runs one Drive at a time, and one or both Blob endpoints, until it is closed.

    :param state: folder for logs, credentials and certificates.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        state.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, Service] = {}
        self._tree: Tree | None = None
        # In a process of its own: what this one holds in memory would be counted as its children's.
        subprocess.run([sys.executable, "-c", _CERTIFICATE, str(state)], check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self._stop(name)

    @property
    def ca(self) -> Path:
        """The authority that Drive's certificate is from."""
        return self.state / "ca.pem"

    @property
    def key(self) -> Path:
        """The service account that may act as Ann."""
        return self.state / "drive" / "service-account.json"

    @property
    def drive_url(self) -> str:
        """Where Drive is now."""
        return str(self._running["drive"].info["url"])

    @property
    def env(self) -> dict[str, str]:
        """For clients: whom to trust, and no proxy between."""
        return {**os.environ, "SSL_CERT_FILE": str(self.ca), "REQUESTS_CA_BUNDLE": str(self.ca), "NO_PROXY": "*"}

    def serve(self, tree: Tree) -> None:
        """Let Drive hold this tree."""
        if tree == self._tree:
            return
        self._stop("drive")
        arguments = ("--backend", "generated", "--files", str(tree.files), "--folders", str(tree.folders))
        arguments += ("--sizes", tree.sizes, "--certificate", str(self.state / "server.pem"))
        command = module("include.local_cloud.drive", "--state", str(self.state / "drive"), *arguments)
        self._running["drive"] = start("drive", command, state=self.state, timeout=120)
        self._tree = tree
        self.__dict__.pop("truth", None)

    def blob(self, name: str) -> Service:
        """The endpoint ``null_blob`` or ``azurite``, started when it is first asked for."""
        if name not in self._running:
            command = module("benchmarks.null_blob")
            if name == "azurite":
                arguments = ("--port", str(free_port()), "--location", str(self.state / "data"))
                command = module("include.local_cloud.azurite", *arguments)
            self._running[name] = start(name, command, state=self.state, timeout=1_000)
        return self._running[name]

    @cached_property
    def truth(self) -> tuple[int, int]:
        """Files and bytes that this Drive holds, asked of Drive itself."""
        sizes = [item["size"] for item in self.admin("items")["items"] if item["size"] is not None]
        return len(sizes), sum(sizes)

    def prepare(self, *, latency: bool) -> None:
        """Forget counters, open the quota wide, set how slow everything answers."""
        self.admin("reset", {})
        self.admin("quota", {"user_units": None, "project_units": None})
        if latency:
            settings = {"latency_ms": METADATA_MS, "media_latency_ms": FIRST_BYTE_MS - METADATA_MS}
            self.admin("faults", {"settings": settings})
        self.blob_latency(BLOB_MS if latency else 0)

    def blob_latency(self, milliseconds: float) -> None:
        """How slow the null endpoint answers; Azurite is as slow as it is."""
        self._null_blob(f"latency?ms={milliseconds}")

    def empty_blob(self) -> None:
        """Let the null endpoint forget what it was sent: it would have no memory left for the last profiles."""
        self._null_blob("reset")

    def seed(self, container: str, rows: list[dict[str, Any]]) -> None:
        """Let a container of the null endpoint hold blobs that nobody sent: ``name``, ``size``, ``md5``, ``metadata``."""
        self._null_blob(f"seed?container={container}", json.dumps(rows).encode())

    def _null_blob(self, path: str, body: bytes | None = None) -> None:
        if "null_blob" in self._running:
            host = self._running["null_blob"].info["url"].rpartition("/")[0]
            urllib.request.urlopen(f"{host}/_admin/{path}", data=body, timeout=120).close()

    def admin(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call one of Drive's ``/_admin`` endpoints; a body makes it a POST."""
        request = urllib.request.Request(
            f"{self.drive_url}/_admin/{path}", data=None if body is None else json.dumps(body).encode()
        )
        trust = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(request, timeout=120, context=trust) as response:
            return json.load(response)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each service has used."""
        used = {}
        for name, service in self._running.items():
            process = psutil.Process(service.pid)
            times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
            used[name] = sum(each.user + each.system for each in times)
        return used

    def _stop(self, name: str) -> None:
        service = self._running.pop(name, None)
        if service is not None:
            service.stop(120)
