"""``python -m include.local_cloud.azurite``: Azurite's blob service, installed if need be, and never killed.

Azurite keeps its index in memory and writes it now and then: killed with SIGKILL, 99 of 200 acknowledged blobs were
gone; after SIGTERM, none. So it runs in a group of its own, gets one SIGTERM, and has all the time it wants.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

from include.local_cloud.azurite_install import CACHE, find_node, installed
from include.local_cloud.process import ServiceError, die_with_parent
from include.local_cloud.ready import advertised, announce, fail, port_taken

#: Azurite's own well-known account ("Use the Azurite emulator").
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_SECONDS = 60


class Options(NamedTuple):
    """What the command line says.

    :param location: folder for the data.
    :param advertise: host name that clients use; for the connection string.
    :param cache: folder that Azurite itself is kept in.
    """

    host: str
    port: int
    location: Path
    account: str
    key: str
    advertise: str
    cache: Path


def run(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises ServiceError: when there is no Node, npm fails, or Azurite does not start.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _check_port(options)
    node = find_node()
    program = installed(node, options.cache)
    options.location.mkdir(parents=True, exist_ok=True)
    azurite = _spawn(node.node, program, options)
    try:
        if _await_answer(azurite, options, stop):
            announce("azurite", **_ready(options))
        while not stop.wait(0.2) and azurite.poll() is None:
            pass
        if not stop.is_set():
            raise ServiceError(f"Azurite ended by itself with exit code {azurite.returncode}.")
    finally:
        azurite.terminate()
        azurite.wait()


def _spawn(node: str, program: Path, options: Options) -> subprocess.Popen[bytes]:
    command = [node, str(program), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--blobHost", options.host, "--blobPort", str(options.port), "--location", str(options.location)]
    return subprocess.Popen(  # noqa: S603 - node, found by us
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,  # our standard output is for the ready line
        env={**os.environ, "AZURITE_ACCOUNTS": f"{options.account}:{options.key}"},
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, in a library that is loaded already
    )


def _check_port(options: Options) -> None:
    """Azurite's own words for a port that is taken are a stack trace."""
    try:
        socket.create_server((options.host, options.port)).close()
    except OSError as error:
        fail(port_taken(error, "Azurite", options.host, options.port))


def _await_answer(azurite: subprocess.Popen[bytes], options: Options, stop: threading.Event) -> bool:
    """Whether it answers; false when we were told to stop meanwhile."""
    for _ in range(START_SECONDS * 10):
        if stop.wait(0.1):
            return False
        if azurite.poll() is not None:
            raise ServiceError(f"Azurite did not start; it ended with exit code {azurite.returncode}.")
        if _answers(options):
            return True
    raise ServiceError(f"Azurite did not answer within {START_SECONDS} seconds.")


def _answers(options: Options) -> bool:
    connection = http.client.HTTPConnection(advertised(options.host), options.port, timeout=2)
    try:
        connection.request("GET", f"/{options.account}?comp=list")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ready(options: Options) -> dict[str, str]:
    url = f"http://{options.advertise}:{options.port}/{options.account}"
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": options.account,
        "AccountKey": options.key,
        "BlobEndpoint": url,
    }
    return {"url": url, "connection_string": ";".join(f"{key}={value}" for key, value in parts.items())}


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud.azurite", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=10_000)
    parser.add_argument("--location", type=Path, required=True, help="folder for the data")
    parser.add_argument("--account", default=ACCOUNT)
    parser.add_argument("--key", default=KEY, help="account key, base64")
    parser.add_argument("--advertise", help="host name that clients use (default: the host)")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder for Azurite itself (default: {CACHE})")
    given = parser.parse_args()
    advertise = given.advertise or advertised(given.host)
    try:
        run(Options(given.host, given.port, given.location, given.account, given.key, advertise, given.cache))
    except ServiceError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
