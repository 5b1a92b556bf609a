"""``python -m include.local_cloud up``: the local cloud until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from pathlib import Path

from include.local_cloud.azurite_install import ROOT
from include.local_cloud.cloud import LocalCloud, Ports
from include.local_cloud.keyvault.files import write_private
from include.local_cloud.process import ServiceError
from include.local_cloud.ready import fail

#: Those that the services have in the world, or near them; 8080 is Airflow's.
USUAL = Ports(drive=8090, blob=10_000, events=5672, vault=8443, identity=8442)


def up(cloud: LocalCloud) -> None:
    """Run until SIGINT or SIGTERM.

    :raises ServiceError: when a service cannot be started, or ends by itself.
    """
    # Both by name: whoever starts this in the background of a shell has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with cloud:
            try:
                cloud.put_connections()
                _tell(cloud)
                _watch(cloud)
            finally:  # a second Ctrl-C must not cut short what Azurite has to write
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:
        sys.stdout.write("The local cloud has stopped; its data is kept.\n")


def _watch(cloud: LocalCloud) -> None:
    while True:
        for service in cloud.dead():
            raise ServiceError(f"{service.name} ended by itself. See {service.log}.")
        time.sleep(0.5)


def _tell(cloud: LocalCloud) -> None:
    variables = cloud.state / "env.sh"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in cloud.env().items()]
    write_private(variables, ("\n".join(lines) + "\n").encode())
    urls = "".join(f"  {name:<10} {url}\n" for name, url in sorted(cloud.urls.items()))
    sys.stdout.write(
        f"The local cloud runs; Ctrl-C stops it.\n{urls}"
        f"  The Airflow connections are in its Key Vault. For clients: . {shlex.quote(str(variables))}\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud", description=__doc__)
    command = parser.add_subparsers(required=True, metavar="up").add_parser("up", help="run all services until Ctrl-C")
    command.add_argument("--state", type=Path, default=ROOT / ".run" / "cloud", help="folder for data and logs")
    command.add_argument("--drive-root", type=Path, help="serve this folder as the Drive, instead of sample files")
    command.add_argument("--drive-backend", choices=("sample", "generated", "folder"), help="what the Drive holds")
    for name, port in USUAL._asdict().items():
        command.add_argument(f"--{name}-port", type=int, default=port, help=f"default {port}; 0 takes a free one")
    given = parser.parse_args()
    backend = given.drive_backend or ("folder" if given.drive_root else "sample")
    ports = Ports(*(getattr(given, f"{name}_port") for name in USUAL._fields))
    try:
        up(LocalCloud(given.state, backend, given.drive_root, ports))
    except ServiceError as error:
        fail(str(error))
    except OSError as error:
        fail(f"The state folder {given.state} cannot be used: {error.strerror or error}.")


if __name__ == "__main__":
    main()
