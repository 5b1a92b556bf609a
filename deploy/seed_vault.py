# ruff: noqa: INP001 - a script, not a package
"""Puts the three connections into the Key Vault stand-in of docker compose. With the real vault, a person does that.

Reads ``VAULT_URL``, ``DRIVE_URL``, ``DRIVE_KEY_FILE`` (the service account that the Drive stand-in made),
``BLOB_CONNECTION_STRING`` and ``EVENTS_CONNECTION_STRING``; and, for the identity, what Azure's SDK reads.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient


def connections(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Connection id to what Airflow reads as a connection."""
    google = {
        "keyfile_dict": json.loads(Path(environment["DRIVE_KEY_FILE"]).read_text()),
        "scope": "https://www.googleapis.com/auth/drive.readonly",
        "api_endpoint": environment["DRIVE_URL"],
        "subject": "ann@example.com",
    }
    return {
        "drive_backup_google": {"conn_type": "google_cloud_platform", "extra": google},
        "drive_backup_blob": _by_string("wasb", environment["BLOB_CONNECTION_STRING"]),
        "drive_backup_events": _by_string("azure_event_hubs", environment["EVENTS_CONNECTION_STRING"]),
    }


def _by_string(kind: str, text: str) -> dict[str, Any]:
    return {"conn_type": kind, "extra": {"connection_string": text}}


def main() -> None:
    """Set every secret; a further start sets them again."""
    # The stand-in is not under vault.azure.net, which the challenge would otherwise have to name.
    client = SecretClient(os.environ["VAULT_URL"], ManagedIdentityCredential(), verify_challenge_resource=False)
    for conn_id, connection in connections(os.environ).items():
        name = f"airflow-connections-{conn_id}".replace("_", "-")
        client.set_secret(name, json.dumps(connection), content_type="application/json")
        sys.stdout.write(f"{name} is set.\n")


if __name__ == "__main__":
    main()
