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
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from azure.core.exceptions import ServiceResponseError

from include.drive_backup.blob.rules import decode_metadata
from include.drive_backup.ports import BlobInfo

#: Blobs a page, as many as the service gives.
PAGE = 5000


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
            root = ET.fromstring(body)  # noqa: S314  # from our own account; expat bounds what entities may become
            blobs, marker = _child(root, "Blobs"), _child(root, "NextMarker")
            return [_blob(element) for element in blobs if element.tag == "Blob"], marker.text or ""
    except (ET.ParseError, ValueError, KeyError) as error:
        raise ServiceResponseError(f"The page of the listing cannot be read: {error}", error=error) from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """A page's 150,000 elements have no cycles; looking for some among them takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _child(element: ET.Element, tag: str) -> ET.Element:
    child = element.find(tag)
    if child is None:
        raise ValueError(f"<{element.tag}> without <{tag}>")
    return child


def _blob(element: ET.Element) -> BlobInfo:
    parts = {each.tag: each for each in element}
    name, facts = parts["Name"], {each.tag: each.text for each in parts["Properties"]}
    text, modified, moved = name.text or "", facts.get("Last-Modified"), facts.get("AccessTierChangeTime")
    metadata = {each.tag: each.text or "" for each in parts["Metadata"]} if "Metadata" in parts else {}
    return BlobInfo(
        # Encoded when it has characters that XML cannot hold.
        name=unquote(text) if name.get("Encoded") == "true" else text,
        size=int(facts["Content-Length"] or ""),
        md5=base64.b64decode(facts.get("Content-MD5") or "").hex() or None,
        content_type=facts.get("Content-Type") or None,
        metadata=decode_metadata(metadata),
        modified=_time(modified) if modified else None,
        etag=(facts.get("Etag") or "").strip('"') or None,
        tier=(facts.get("AccessTier") or "").lower() or None,
        tier_changed=_time(moved) if moved else None,
        rehydrating=(facts.get("ArchiveStatus") or "").startswith("rehydrate-pending"),
    )


@lru_cache
def _time(text: str) -> datetime:
    return parsedate_to_datetime(text)
