"""The local cloud as the demo runs it: a process of its own that outlives the demo's command.

``python -m include.demo.cloud --state DIR`` starts the services, puts the connections into the vault, writes
``cloud.json``, and waits for SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.demo.signals import stop_once
from include.local_cloud.cloud import HUB, LocalCloud
from include.local_cloud.process import ServiceError

#: Airflow's backend must not wait long for a vault that is down: the look-up is repeated by the task's own retry.
VAULT_OPTIONS = {
    "connections_prefix": "airflow-connections",
    "variables_prefix": None,
    "config_prefix": None,
    "verify_challenge_resource": False,
    "retry_total": 1,
}


@dataclass(frozen=True)
class CloudInfo:
    """What the demo and the tests need to know of a running cloud."""

    urls: dict[str, str]
    env: dict[str, str]
    blob_connection_string: str
    events_connection_string: str
    hub: str

    @classmethod
    def read(cls, state: Path) -> CloudInfo | None:
        """The info that a running cloud left, or None."""
        try:
            return cls(**json.loads((state / "cloud.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def vault_kwargs(self) -> dict[str, Any]:
        """``backend_kwargs`` of Airflow's Key Vault backend."""
        return {"vault_url": self.urls["keyvault"], **VAULT_OPTIONS}


def info_of(cloud: LocalCloud) -> dict[str, Any]:
    """What goes into ``cloud.json``."""
    return {
        "urls": cloud.urls,
        "env": cloud.env(),
        "blob_connection_string": cloud.services["azurite"].info["connection_string"],
        "events_connection_string": cloud.services["eventhubs"].info["connection_string"],
        "hub": HUB,
    }


def serve(state: Path, drive_root: Path | None) -> None:
    """Run until told to stop, which may be while services still start.

    :raises ServiceError: a service cannot be started, or ended by itself.
    """
    stop_once()
    info = state / "cloud.json"
    info.unlink(missing_ok=True)
    try:
        with LocalCloud(state, "folder" if drive_root else "sample", drive_root) as cloud:
            cloud.put_connections()
            info.write_text(json.dumps(info_of(cloud)))
            info.chmod(0o600)
            while not cloud.dead():
                time.sleep(0.5)
            raise ServiceError("\n".join(f"{each.name} ended by itself. See {each.log}." for each in cloud.dead()))
    except KeyboardInterrupt:
        info.unlink(missing_ok=True)


def main() -> None:
    """Parse and run; a sentence and code 2 when it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--drive-root", type=Path)
    given = parser.parse_args()
    try:
        serve(given.state, given.drive_root)
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
