"""What Google publishes about its own API: methods, parameters, scopes and schemas.

Parameters, field masks and scopes are checked against the discovery documents that ship inside
google-api-python-client, so that the stand-in is as strict as Google's description and grows with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from include.local_cloud.drive.errors import ApiError, invalid_parameter

DRIVE = "drive.v3"
DIRECTORY = "admin.directory_v1"
# Drive also takes the uploads' own parameters, and Google's clients send `alt` in both of its spellings.
_EXTRA_PARAMETERS = {"upload_id", "$alt"}


@dataclass(frozen=True)
class Method:
    """One API method, e.g. ``drive.files.list``."""

    id: str
    verb: str
    path: str
    parameters: dict[str, dict[str, Any]]
    response: str | None
    scopes: frozenset[str]
    uploads: bool

    def read(self, query: dict[str, str]) -> dict[str, Any]:
        """Check a query string and give its values their types; defaults are filled in.

        :raises ApiError: 400 for what the method does not know or cannot take.
        """
        values = {n: spec["default"] for n, spec in self.parameters.items() if "default" in spec}
        unknown = query.keys() - self.parameters.keys() - _EXTRA_PARAMETERS
        if unknown:
            name = min(unknown)
            raise invalid_parameter(name, f'Unknown name "{name}": Cannot bind query parameter.')
        values.update(query)
        return {name: _typed(name, text, self.parameters.get(name, {})) for name, text in values.items()}


def _typed(name: str, text: Any, spec: dict[str, Any]) -> Any:
    kind = spec.get("type")
    if kind == "boolean":
        if str(text).lower() not in {"true", "false"}:
            raise invalid_parameter(name, f"Invalid boolean value: '{text}'.")
        return str(text).lower() == "true"
    if kind == "integer":
        return _integer(name, str(text), spec)
    if "enum" in spec and text not in spec["enum"]:
        raise invalid_parameter(name, f"Invalid string value: '{text}'. Allowed values: {spec['enum']}")
    return text


def _integer(name: str, text: str, spec: dict[str, Any]) -> int:
    if not text.lstrip("-").isdigit():
        raise invalid_parameter(name, f"Invalid integer value: '{text}'.")
    low, high = int(spec.get("minimum", 0)), int(spec.get("maximum", 2**31))
    if int(text) < low:
        raise invalid_parameter(name, f"Invalid value '{text}'. Values must be within the range: [{low}, {high}]")
    # Above the maximum Drive coerces instead of refusing (discovery text of pageSize).
    return min(int(text), high)


@cache
def document(api: str) -> dict[str, Any]:
    """A bundled discovery document."""
    folder = resources.files("googleapiclient.discovery_cache").joinpath("documents")
    result: dict[str, Any] = json.loads(folder.joinpath(f"{api}.json").read_text(encoding="utf-8"))
    return result


@cache
def schema(name: str, api: str = DRIVE) -> dict[str, Any]:
    """A schema by name, e.g. ``File``."""
    result: dict[str, Any] = document(api)["schemas"][name]
    return result


@cache
def methods() -> dict[str, Method]:
    """All methods of Drive v3, and of the Directory API what a backup needs."""
    drive = _walk(document(DRIVE), "/drive/v3/", document(DRIVE)["parameters"])
    directory = _walk(document(DIRECTORY), "/", document(DIRECTORY)["parameters"])
    return drive | {"directory.users.list": directory["directory.users.list"]}


def _walk(node: dict[str, Any], prefix: str, shared: dict[str, Any]) -> dict[str, Method]:
    found: dict[str, Method] = {}
    for resource in node.get("resources", {}).values():
        for spec in resource.get("methods", {}).values():
            own = {n: p for n, p in spec.get("parameters", {}).items() if p.get("location") == "query"}
            found[spec["id"]] = Method(
                id=spec["id"],
                verb=spec["httpMethod"],
                path=prefix + spec["path"].lstrip("/"),
                parameters=shared | own,
                response=spec.get("response", {}).get("$ref"),
                scopes=frozenset(spec.get("scopes", ())),
                uploads=bool(spec.get("supportsMediaUpload")),
            )
        found.update(_walk(resource, prefix, shared))
    return found


def not_implemented(method: str) -> ApiError:
    """A method that Drive has and the stand-in has not."""
    return ApiError(501, "notImplemented", f"The local Drive has no {method}.")
