"""What an item of the catalogue becomes when Drive is to make it again. Pure.

What can be set is in the reference of ``files.create``; owner, checksums and versions cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from include.drive_backup.manifest.schema import CatalogueRow, text
from include.drive_backup.model import FOLDER, NATIVE_PREFIX, SHORTCUT, Item, StoredContent
from include.drive_backup.values import read_flag, read_links, read_objects, read_text, read_time

#: Names of the ``appProperties`` that a restored item carries: which restore made it, and of what. A restore that is
#: run again finds by them what it made. Key and value may have 124 bytes together.
RESTORE_KEY = "driveBackupRestore"
ITEM_KEY = "driveBackupItem"
#: The modified time that Drive gave a document that it made of an export, where that is not the one it was asked for.
MADE_KEY = "driveBackupMade"

#: Formats that Drive makes an editor file of again, the best first (guide "Upload file data"). A PDF or a picture would
#: become a document of recognised text, which is not what it was.
_IMPORTS = {
    "document": ("docx", "odt", "rtf", "md", "txt"),
    "spreadsheet": ("xlsx", "ods", "csv", "tsv"),
    "presentation": ("pptx", "odp"),
    "script": ("json",),
}
_KEPT: dict[str, Callable[[object], Any]] = {
    "description": read_text,
    "properties": read_links,
    "starred": read_flag,
    "folderColorRgb": read_text,
}


def mark(item_id: str, content_format: str = "") -> str:
    """The value of :data:`ITEM_KEY`: one for each thing that a restore makes."""
    return hashlib.sha256(f"{item_id}\0{content_format}".encode("utf-8", "replace")).hexdigest()[:32]


def importable(row: CatalogueRow) -> StoredContent | None:
    """The export of a Google editor file that Drive makes the file of again; None when there is none."""
    formats = _IMPORTS.get(row.item.mime_type.removeprefix(NATIVE_PREFIX), ())
    by_format = {content.format: content for content in row.contents}
    return next((by_format[each] for each in formats if each in by_format), None)


def metadata_of(item: Item, parent: str, marks: Mapping[str, str]) -> dict[str, Any]:
    """The body of ``files.create`` for an item as it was."""
    resource = item.resource
    data: dict[str, Any] = {key: found for key, read in _KEPT.items() if (found := read(resource.get(key)))}
    if item.kind == "shortcut":
        data["mimeType"] = SHORTCUT
    else:
        data["mimeType"] = FOLDER if item.kind == "folder" else item.mime_type
    for key in ("createdTime", "modifiedTime"):
        # What cannot be read, Drive would refuse with all the rest.
        if read_time(resource.get(key)) is not None:
            data[key] = resource[key]
    own = read_links(resource.get("appProperties"))
    return {**data, "name": text(item.name), "parents": [parent], "appProperties": {**own, **marks}}


def as_plain_file(metadata: Mapping[str, Any], content: StoredContent) -> dict[str, Any]:
    """An export that Drive cannot take back, as a file of its own."""
    name = f"{str(metadata['name']).removesuffix(f'.{content.format}')}.{content.format}"
    return {**metadata, "name": name, "mimeType": content.mime_type}


def permissions_to_give(saved: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The bodies of ``permissions.create`` for what was saved, without the owner and what is inherited or over."""
    return [body for each in saved if (body := _permission(each, now))]


def _permission(saved: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    over = read_time(saved.get("expirationTime"))
    if saved.get("role") in (None, "owner") or saved.get("deleted") or _inherited(saved):
        return None
    # Access that was to end at a time that cannot be read is not given for ever.
    if saved.get("expirationTime") and (over is None or over <= now):
        return None
    wanted = ("type", "role", "emailAddress", "domain", "allowFileDiscovery", "expirationTime", "view")
    return {key: saved[key] for key in wanted if saved.get(key)}


def _inherited(saved: Mapping[str, Any]) -> bool:
    details = read_objects(saved.get("permissionDetails"))
    return bool(details) and all(each.get("inherited") for each in details)
