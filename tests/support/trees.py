"""A small language for trees of Drive items: ``tree(folder("Reports", file("a.txt", b"…")))``.

``tree`` gives Drive file resources, as ``files.list`` would, with parents, times, versions and checksums.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from include.drive_backup.model import FOLDER, NATIVE_PREFIX, SHORTCUT, Item

ROOT = "root-id"
CREATED = "2026-01-01T08:00:00.000Z"
MODIFIED = "2026-02-01T08:00:00.000Z"


@dataclass(frozen=True)
class Entry:
    """One item of a tree; ``fields`` are added to its resource, or replace what is there."""

    name: str
    mime_type: str
    content: bytes | None = None
    children: tuple[Entry, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    def having(self, **fields: Any) -> Entry:
        return replace(self, fields={**self.fields, **fields})


def file(name: str, content: bytes = b"", **fields: Any) -> Entry:
    return Entry(name, fields.pop("mimeType", "application/octet-stream"), content, fields=fields)


def folder(name: str, *children: Entry, **fields: Any) -> Entry:
    return Entry(name, FOLDER, children=children, fields=fields)


def native(name: str, kind: str = "document", content: bytes = b"exported", **fields: Any) -> Entry:
    return Entry(name, NATIVE_PREFIX + kind, content, fields=fields)


def shortcut(name: str, target: str, **fields: Any) -> Entry:
    return Entry(name, SHORTCUT, fields={"shortcutDetails": {"targetId": target}, **fields})


def tree(*entries: Entry, root: str = ROOT) -> list[dict[str, Any]]:
    """The resources of some entries below a root. Ids are ``f1``, ``f2`` … in reading order unless given."""
    numbers = itertools.count(1)
    return [resource for entry in entries for resource, _ in _walk(entry, root, numbers)]


def with_contents(*entries: Entry, root: str = ROOT) -> list[tuple[dict[str, Any], bytes | None]]:
    """The same, each with its content."""
    numbers = itertools.count(1)
    return [pair for entry in entries for pair in _walk(entry, root, numbers)]


def items(*entries: Entry, root: str = ROOT) -> list[Item]:
    """The same, as items."""
    return [Item.from_resource(resource) for resource in tree(*entries, root=root)]


def checksums(content: bytes) -> dict[str, str]:
    """What Drive says of a blob's bytes."""
    return {
        "size": str(len(content)),
        "md5Checksum": hashlib.md5(content).hexdigest(),
        "sha256Checksum": hashlib.sha256(content).hexdigest(),
    }


def _walk(entry: Entry, parent: str, numbers: Any) -> Any:
    number = next(numbers)
    ident = entry.fields.get("id", f"f{number}")
    resource: dict[str, Any] = {
        "id": ident,
        "name": entry.name,
        "mimeType": entry.mime_type,
        "parents": [parent],
        "createdTime": CREATED,
        "modifiedTime": MODIFIED,
        "version": "1",
        "trashed": False,
    }
    if entry.content is not None and not entry.mime_type.startswith(NATIVE_PREFIX):
        resource |= {**checksums(entry.content), "headRevisionId": f"{ident}-r1"}
    resource |= entry.fields
    yield {key: value for key, value in resource.items() if value is not None}, entry.content
    for child in entry.children:
        yield from _walk(child, ident, numbers)
