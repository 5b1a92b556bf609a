"""Secrets, their versions, and those that were deleted, in one file."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.local_cloud.keyvault.errors import VaultError, bad_parameter, not_found
from include.local_cloud.keyvault.files import write_private

#: "Azure Key Vault service limits": 25 KB a secret.
MAX_VALUE = 25_600
MAX_CONTENT_TYPE = 255
RETENTION_DAYS = 90
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_DAY = 86_400

#: One version: ``version``, ``value``, ``contentType``, ``tags``, ``attributes`` (enabled, created, updated, nbf, exp).
Version = dict[str, Any]


def check_name(name: str) -> str:
    """The key of a name: names are compared without case.

    :raises VaultError: when no secret can have this name.
    """
    if not _NAME.fullmatch(name):
        raise bad_parameter(
            f"The request URI contains an invalid name: {name}. A secret name is 1 to 127 letters, digits and dashes."
        )
    return name.lower()


class SecretStore:
    """Keeps everything in memory and writes the file, whole, at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = json.loads(path.read_text()) if path.exists() else {"secrets": {}, "deleted": {}}
        self._secrets: dict[str, dict[str, Any]] = known["secrets"]
        self._deleted: dict[str, dict[str, Any]] = known["deleted"]

    def set(self, name: str, body: dict[str, Any]) -> tuple[str, Version]:
        """Add a version, which becomes the current one. Name as first written, and the version."""
        key = check_name(name)
        if key in self._deleted:
            raise VaultError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in "
                "this state, the secret can only be recovered or purged.",
                inner="ObjectIsDeletedButRecoverable",
            )
        version = _new_version(body)
        secret = self._secrets.setdefault(key, {"name": name, "versions": []})
        secret["versions"].append(version)
        self._save()
        return secret["name"], version

    def get(self, name: str, version: str = "") -> tuple[str, Version]:
        """One version, or the current one."""
        secret = self._find(self._secrets, name)
        for candidate in reversed(secret["versions"]):
            if version in ("", candidate["version"]):
                return secret["name"], candidate
        raise not_found(f"{name}/{version}")

    def update(self, name: str, version: str, body: dict[str, Any]) -> tuple[str, Version]:
        """Change what is not the value."""
        canonical, found = self.get(name, version)
        _apply(found, body)
        found["attributes"]["updated"] = int(time.time())
        self._save()
        return canonical, found

    def versions(self, name: str) -> list[tuple[str, Version]]:
        """Every version of a secret, oldest first."""
        secret = self._secrets.get(check_name(name), {"name": name, "versions": []})
        return [(secret["name"], version) for version in secret["versions"]]

    def current(self) -> list[tuple[str, Version]]:
        """The current version of every secret, by name."""
        return [(secret["name"], secret["versions"][-1]) for _, secret in sorted(self._secrets.items())]

    def delete(self, name: str) -> dict[str, Any]:
        """Put a secret aside, with all versions."""
        key = check_name(name)
        secret = self._find(self._secrets, name)
        del self._secrets[key]
        self._deleted[key] = {**secret, "deletedDate": int(time.time())}
        self._save()
        return self._deleted[key]

    def deleted(self) -> Iterator[dict[str, Any]]:
        """What can still be recovered."""
        yield from (secret for _, secret in sorted(self._deleted.items()))

    def get_deleted(self, name: str) -> dict[str, Any]:
        """One of them."""
        return self._find(self._deleted, name)

    def recover(self, name: str) -> tuple[str, Version]:
        """Bring it back."""
        secret = self._find(self._deleted, name)
        key = check_name(name)
        del self._deleted[key]
        self._secrets[key] = {"name": secret["name"], "versions": secret["versions"]}
        self._save()
        return secret["name"], secret["versions"][-1]

    def purge(self, name: str) -> None:
        """Forget it."""
        self._find(self._deleted, name)
        del self._deleted[check_name(name)]
        self._save()

    def _find(self, where: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        secret = where.get(check_name(name))
        if secret is None:
            raise not_found(name)
        return secret

    def _save(self) -> None:
        data = json.dumps({"secrets": self._secrets, "deleted": self._deleted}, indent=1)
        write_private(self._path, data.encode())


def purge_date(deleted: int) -> int:
    """When a deleted secret is gone for good."""
    return deleted + RETENTION_DAYS * _DAY


def _new_version(body: dict[str, Any]) -> Version:
    value = body.get("value")
    if not isinstance(value, str):
        raise bad_parameter("The secret value is missing or no string.")
    if len(value.encode()) > MAX_VALUE:
        raise bad_parameter(f"The secret value exceeds the maximum of {MAX_VALUE} bytes.")
    now = int(time.time())
    attributes = {"enabled": True, "created": now, "updated": now}
    version: Version = {"version": uuid.uuid4().hex, "value": value, "attributes": attributes}
    _apply(version, body)
    return version


def _apply(version: Version, body: dict[str, Any]) -> None:
    content_type = body.get("contentType")
    if content_type is not None:
        if len(content_type) > MAX_CONTENT_TYPE:
            raise bad_parameter(f"The content type exceeds {MAX_CONTENT_TYPE} characters.")
        version["contentType"] = content_type
    if body.get("tags") is not None:
        if len(body["tags"]) > 15:
            raise bad_parameter("A secret has 15 tags at most.")
        version["tags"] = body["tags"]
    given = body.get("attributes") or {}
    version["attributes"] |= {key: given[key] for key in ("enabled", "nbf", "exp") if given.get(key) is not None}
