"""Which version of its item each content of a row is of. Pure.

The formats of a document are copied one by one, by several tries, and the document may change between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from include.drive_backup.blob.names import content_identity
from include.drive_backup.model import CopyResult, Item, PlanRow, StoredContent

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Version(NamedTuple):
    """A content, and the item as it was then; name and place are the listing's, on which all paths were built."""

    item: Item
    content: StoredContent


def versions_of(row: PlanRow, results: Sequence[CopyResult]) -> list[Version]:
    """The versions of all contents of a row: those that the plan found, and those that were copied."""
    found = [Version(row.item, content) for content in row.contents]
    return found + [Version(_copied(row.item, each), each.content) for each in results if each.content is not None]


def without_replaced(row: PlanRow, results: Sequence[CopyResult]) -> PlanRow:
    """The row without contents of which its batch has copied another: of a document that was exported again."""
    copied = {result.format for result in results if result.content is not None}
    left = tuple(content for content in row.contents if content.format not in copied)
    return row if len(left) == len(row.contents) else msgspec.structs.replace(row, contents=left, message=None)


def described(row: PlanRow, results: Sequence[CopyResult], versions: Sequence[Version]) -> Item:
    """The item that the row describes: as it was when the newest of its contents was made."""
    if versions:
        return max((version.item for version in versions), key=_age)
    newer = next((result for result in results if result.resource is not None), None)
    return row.item if newer is None else _copied(row.item, newer)


def mixture(versions: Sequence[Version]) -> str | None:
    """Which format is of which time, when the contents are not all of one version."""
    if len({content_identity(version.item) for version in versions}) < 2:
        return None
    parts = ", ".join(f"{version.content.format} of {_time(version.item)}" for version in versions)
    return f"It changed while it was copied, and its formats are of different versions: {parts}."


def _copied(item: Item, result: CopyResult) -> Item:
    """The item whose bytes were copied: one that changed meanwhile has another size, checksum and time."""
    if result.revision is not None:
        return _as_revision(item, result)
    if result.resource is None:
        return item
    placed = {"name": item.name, "parents": item.parents, "trashed": item.trashed}
    return msgspec.structs.replace(Item.from_resource(result.resource), **placed)


def _as_revision(item: Item, result: CopyResult) -> Item:
    """The item with the content of an older version; its resource stays what Drive says now."""
    revision, content = result.revision, result.content
    if revision is None or content is None:
        return item
    own = item.kind == "file"
    return msgspec.structs.replace(
        item,
        modified=revision.modified,
        version=None,
        head_revision_id=revision.id if own else None,
        size=content.size if own else None,
        md5=content.md5 if own else None,
        sha256=content.sha256 if own else None,
    )


def _age(item: Item) -> tuple[int, datetime]:
    # Drive's count of changes comes first: clients set times back.
    return int(item.version or 0), item.modified or _LONG_AGO


def _time(item: Item) -> str:
    return "a time that cannot be read" if item.modified is None else f"{item.modified:%Y-%m-%d %H:%M:%S} UTC"
