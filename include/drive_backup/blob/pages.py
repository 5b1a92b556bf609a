"""The pages of "List Blobs", read without Microsoft's SDK, which spends more on each blob than sending it costs.

Source: Azure Storage REST reference, "List Blobs".
"""

from __future__ import annotations

import base64
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import cast
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from azure.core.exceptions import ServiceResponseError

from include.drive_backup.blob.rules import decode_metadata
from include.drive_backup.ports import BlobInfo

#: Blobs a page, as many as the service gives.
PAGE = 5000
#: Bytes that are parsed together.
_PIECE = 64 * 1024
_MD5_BYTES = 16


def page_query(prefix: str, marker: str, *, metadata: bool) -> Mapping[str, str]:
    """What to ask the container for.

    :param marker: of the page before; empty for the first one.
    """
    query = {"restype": "container", "comp": "list", "maxresults": str(PAGE)}
    further = {"prefix": prefix, "marker": marker, "include": "metadata" if metadata else ""}
    return query | {key: value for key, value in further.items() if value}


def read_page(body: bytes) -> tuple[list[BlobInfo], str]:
    """The blobs of a page, and the marker of the next one, which is empty after the last.

    :raises ServiceResponseError: it is no whole page.
    """
    try:
        with _no_collection():
            return _read(body)
    except (ET.ParseError, ValueError, KeyError) as error:
        raise ServiceResponseError(f"The page of the listing cannot be read: {error}", error=error) from error


def _read(body: bytes) -> tuple[list[BlobInfo], str]:
    # Piece by piece: the whole tree of a page takes 20 MB, and more time.
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("end",))
    blobs, marker, whole = list[BlobInfo](), None, False
    for start in range(0, len(body), _PIECE):
        parser.feed(body[start : start + _PIECE])
        for _, element in cast("Iterator[tuple[str, ET.Element]]", parser.read_events()):
            # Metadata may have any of these names; it has no children, and comes before the end of the blobs.
            if element.tag == "Blob" and len(element):
                blobs.append(_blob(element))
                element.clear()
            elif element.tag == "Blobs":
                marker, whole = None, len(element.findall("Blob")) == len(blobs)
            elif element.tag == "NextMarker":
                marker = element.text or ""
    parser.close()
    if marker is None or not whole:
        raise ValueError("it does not have all that a page has")
    return blobs, marker


@contextmanager
def _no_collection() -> Iterator[None]:
    """A page's 150,000 elements have no cycles; to look for some among them takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _blob(element: ET.Element) -> BlobInfo:
    parts = {each.tag: each for each in element}
    name, facts = parts["Name"], {each.tag: each.text for each in parts["Properties"]}
    text, modified, moved = name.text or "", facts.get("Last-Modified"), facts.get("AccessTierChangeTime")
    metadata = {each.tag: each.text or "" for each in parts["Metadata"]} if "Metadata" in parts else {}
    return BlobInfo(
        # Encoded when it has characters that XML cannot hold.
        name=unquote(text) if name.get("Encoded") == "true" else text,
        size=int(facts["Content-Length"] or ""),
        md5=_md5(facts.get("Content-MD5") or ""),
        content_type=facts.get("Content-Type") or None,
        metadata=decode_metadata(metadata),
        modified=_time(modified) if modified else None,
        etag=(facts.get("Etag") or "").strip('"') or None,
        tier=(facts.get("AccessTier") or "").lower() or None,
        tier_changed=_time(moved) if moved else None,
        rehydrating=(facts.get("ArchiveStatus") or "").startswith("rehydrate-pending"),
    )


def _md5(text: str) -> str | None:
    """In hex; None when there is none, also where somebody set a text that is not one."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return found.hex() if len(found) == _MD5_BYTES else None


@lru_cache
def _time(text: str) -> datetime:
    return parsedate_to_datetime(text)
