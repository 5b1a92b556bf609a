"""Field masks: ``a,b(c,d),e/f,*``, checked against Google's own schemas."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, cast

from include.local_cloud.drive.discovery import DRIVE, schema
from include.local_cloud.drive.errors import ApiError, invalid_parameter

# A mask maps a field to the mask of what is inside; None stands for everything.
Mask = dict[str, "Mask"] | None

_DEFAULT_FILE = "kind,id,name,mimeType,resourceKey"
_DEFAULT_PERMISSION = "id,type,kind,role"
_DEFAULT_REVISION = "id,mimeType,kind,modifiedTime"
_DEFAULT_DRIVE = "id,name,colorRgb,kind"
_DEFAULTS = {
    "File": _DEFAULT_FILE,
    "FileList": f"kind,nextPageToken,incompleteSearch,files({_DEFAULT_FILE})",
    "Permission": _DEFAULT_PERMISSION,
    "PermissionList": f"kind,nextPageToken,permissions({_DEFAULT_PERMISSION})",
    "Revision": _DEFAULT_REVISION,
    "RevisionList": f"kind,nextPageToken,revisions({_DEFAULT_REVISION})",
    "Drive": _DEFAULT_DRIVE,
    "DriveList": f"kind,nextPageToken,drives({_DEFAULT_DRIVE})",
    "ChangeList": (
        "kind,nextPageToken,newStartPageToken,"
        f"changes(kind,removed,file({_DEFAULT_FILE}),fileId,time,changeType,driveId,drive({_DEFAULT_DRIVE}))"
    ),
}
_TOKEN = re.compile(r"[A-Za-z0-9_.$%+-]+|[*(),/]")


def bad_mask(name: str) -> ApiError:
    """Drive's answer to a mask it cannot read."""
    return invalid_parameter("fields", f"Invalid field selection {name}")


@lru_cache(maxsize=512)
def mask_for(text: str | None, schema_name: str, api: str = DRIVE) -> Mask:
    """Read a mask, or take the method's default one.

    :raises ApiError: 400 ``invalidParameter`` naming the first unknown field.
    """
    if not text:
        default = _DEFAULTS.get(schema_name)
        return None if default is None else mask_for(default, schema_name, api)
    reader = _Reader(text, api)
    mask = reader.selection({"$ref": schema_name})
    if reader.tokens:
        raise bad_mask(text)
    return mask


class _Reader:
    def __init__(self, text: str, api: str) -> None:
        self.text = text
        self.api = api
        self.tokens = _TOKEN.findall(text.replace(" ", ""))[::-1]
        if "".join(reversed(self.tokens)) != text.replace(" ", ""):
            raise bad_mask(text)

    def selection(self, spec: dict[str, Any]) -> Mask:
        """``field, field …`` up to a closing parenthesis or the end."""
        mask: Mask = {}
        while True:
            mask = merge(mask, self.field(spec))
            if not self.tokens or self.tokens[-1] != ",":
                return mask
            self.tokens.pop()

    def field(self, spec: dict[str, Any]) -> Mask:
        name = self.tokens.pop() if self.tokens else ""
        if name == "*":
            return None
        if not name or name in "(),/":
            raise bad_mask(name or self.text)
        inner = _inside(self.resolve(spec), name)
        if not self.tokens or self.tokens[-1] not in "(/":
            return {name: None}
        if self.tokens.pop() == "/":
            return {name: self.field(inner)}
        mask = self.selection(inner)
        if not self.tokens or self.tokens.pop() != ")":
            raise bad_mask(self.text)
        return {name: mask}

    def resolve(self, spec: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in spec or "items" in spec:
            spec = schema(spec["$ref"], self.api) if "$ref" in spec else spec["items"]
        return spec


def _inside(spec: dict[str, Any], name: str) -> dict[str, Any]:
    known = spec.get("properties", {})
    if name in known:
        return cast("dict[str, Any]", known[name])
    if "additionalProperties" in spec:
        return cast("dict[str, Any]", spec["additionalProperties"])
    raise bad_mask(name)


def merge(left: Mask, right: Mask) -> Mask:
    """Both selections together."""
    if left is None or right is None:
        return None
    merged = dict(left)
    for name, inner in right.items():
        merged[name] = merge(merged[name], inner) if name in merged else inner
    return merged


def inner(mask: Mask, name: str) -> Mask:
    """The mask of one field; an empty one when the field is not asked for."""
    return None if mask is None else mask.get(name, {})


def asks(mask: Mask, name: str) -> bool:
    """Whether the mask names a field, or everything."""
    return mask is None or name in mask


def apply(mask: Mask, value: Any) -> Any:
    """Keep what the mask selects. What is absent stays absent."""
    if mask is None:
        return value
    if isinstance(value, list):
        return [apply(mask, entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {name: apply(mask[name], entry) for name, entry in value.items() if name in mask}
