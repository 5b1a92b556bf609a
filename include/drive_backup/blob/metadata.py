"""What a content blob says of itself, so that the container can be understood without any catalogue. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from include.drive_backup.blob.names import FORMAT_VERSION, parse_content
from include.drive_backup.model import (
    CHECKED,
    CLOCKS,
    CopyOrder,
    Item,
    StoredContent,
    Struct,
    format_instant,
    is_instant,
    parse_instant,
)
from include.drive_backup.ports import BlobInfo
from include.drive_backup.values import read_integer

#: Bytes that a name may take of the 8 KiB of metadata; a longer one is cut here and whole in the catalogue.
_MAX_NAME = 4096
_MAX_VALUE = 512
_SHA256 = re.compile(r"[0-9a-f]{64}")


class StoredFile(Struct, frozen=True):
    """One content blob as a listing with metadata shows it.

    :ivar content_id: names the content version; see ``names.content_id``.
    :ivar read: when its reading began, by the container's clock; None where nothing that can be believed says so.
    :ivar read_late: it was read when it was no longer the head.
    :ivar version: Drive's count of changes when it was listed for that, and ``drive_size`` what Drive said of a
        document's size, which is not that of the export.
    """

    content: StoredContent
    content_id: str
    file_id: str
    source: str
    read: datetime | None = None
    read_late: bool = False
    version: str | None = None
    drive_size: int | None = None


def content_metadata(
    order: CopyOrder,
    stored: StoredContent,
    item: Item | None = None,
    until: datetime | None = None,
    read: datetime | None = None,
) -> dict[str, str]:
    """The metadata of a content blob, as plain text. What Drive does not say is left out.

    :param item: the item as it was when the bytes were read, if it is newer than the order's.
    :param until: of a version that was no longer the head then: when the next one was made that Drive lists.
    :param read: when its reading began, by the container's clock.
    :raises ValueError: the blob's name is no content name.
    """
    item = item or order.item
    parsed = parse_content(stored.blob)
    if parsed is None:
        raise ValueError(f"'{stored.blob}' is no name of a content blob.")
    facts = {
        "format_version": str(FORMAT_VERSION),
        "source": str(parsed.source),
        **_facts(item, stored),
        "drive_size": None if item.kind != "native" or item.size is None else str(item.size),
        "read": format_instant(read) if read else None,
        "until": format_instant(until) if until else None,
    }
    return {key: value for key, value in facts.items() if value}


def restored_metadata(item: Item, stored: StoredContent | None, source: str, snapshot: str) -> dict[str, str]:
    """The metadata of a blob that a restore writes into another container, as plain text.

    :param stored: None: it stands for an empty folder. The key is one that Azure's own tools know such a blob by.
    :param snapshot: the id of the snapshot that it comes from.
    """
    kind = {"hdi_isfolder": "true"} if stored is None else {}
    facts = {"source": source, "snapshot": snapshot, **_facts(item, stored), **kind}
    return {key: value for key, value in facts.items() if value}


def _facts(item: Item, stored: StoredContent | None) -> dict[str, str | None]:
    content = {"format": stored.format, "size": str(stored.size), "checked": stored.checked} if stored else {}
    sums = {"md5": stored.md5, "sha256": stored.sha256} if stored else {}
    return {
        "file_id": item.id,
        "name": _cut(item.name, _MAX_NAME),
        "drive_mime_type": _cut(item.mime_type, _MAX_VALUE),
        "modified": format_instant(item.modified) if item.modified else None,
        "version": item.version,
        "head_revision_id": _cut(item.head_revision_id or "", _MAX_VALUE),
        **content,
        **sums,
    }


def stored_file(info: BlobInfo) -> StoredFile | None:
    """Read a listed blob. None when it is no content blob, or not the bytes that its metadata speak of."""
    parsed, facts = parse_content(info.name), info.metadata
    if parsed is None or info.md5 is None:
        return None
    if facts.get("md5") != info.md5 or facts.get("size") != str(info.size):
        return None
    if not (facts.get("file_id") and facts.get("format") and _SHA256.fullmatch(facts.get("sha256", ""))):
        return None
    content = StoredContent(
        blob=info.name,
        format=facts["format"],
        mime_type=info.content_type or "application/octet-stream",
        size=info.size,
        md5=info.md5,
        sha256=facts["sha256"],
        checked=next((word for word in CHECKED if word == facts.get("checked")), None),
    )
    return StoredFile(
        content=content,
        content_id=parsed.content_id,
        file_id=facts["file_id"],
        source=str(parsed.source),
        read=_read(info),
        read_late="until" in facts,
        version=facts.get("version"),
        drive_size=read_integer(facts.get("drive_size")),
    )


def _read(info: BlobInfo) -> datetime | None:
    """When the bytes were read. A copy of a container has new times of its own, so the blob's do not tell.

    A blob that was there before its bytes were read is not what its metadata speak of.
    """
    text = info.metadata.get("read", "")
    read = parse_instant(text) if is_instant(text) else None
    if read is None or info.modified is None or read > info.modified + CLOCKS:
        return None
    return read


def _cut(text: str, most: int) -> str:
    text = text[:most]
    while len(quote(text, errors="surrogatepass")) > most:
        text = text[: len(text) * 3 // 4]
    return text
