"""The pages of "List Blobs", read without Microsoft's SDK, which spends more on each blob than sending it costs.

Source: Azure Storage REST reference, "List Blobs".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
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
        root = ET.fromstring(body)  # noqa: S314  # from our own account; expat bounds what entities may become
        blobs, marker = _child(root, "Blobs"), _child(root, "NextMarker")
        return [_blob(element) for element in blobs.iterfind("Blob")], marker.text or ""
    except (ET.ParseError, ValueError, KeyError) as error:
        raise ServiceResponseError(f"The page of the listing cannot be read: {error}", error=error) from error


def _child(element: ET.Element, tag: str) -> ET.Element:
    child = element.find(tag)
    if child is None:
        raise ValueError(f"<{element.tag}> without <{tag}>")
    return child


def _blob(element: ET.Element) -> BlobInfo:
    name, facts = _child(element, "Name"), {each.tag: each.text or "" for each in element.iterfind("Properties/*")}
    text = name.text or ""
    return BlobInfo(
        # Encoded when it has characters that XML cannot hold.
        name=unquote(text) if name.get("Encoded") == "true" else text,
        size=int(facts["Content-Length"]),
        md5=base64.b64decode(facts.get("Content-MD5", "")).hex() or None,
        content_type=facts.get("Content-Type") or None,
        metadata=decode_metadata({each.tag: each.text or "" for each in element.iterfind("Metadata/*")}),
        modified=_time(facts["Last-Modified"]) if facts.get("Last-Modified") else None,
        etag=facts.get("Etag", "").strip('"') or None,
        tier=facts.get("AccessTier", "").lower() or None,
        tier_changed=_time(facts["AccessTierChangeTime"]) if facts.get("AccessTierChangeTime") else None,
        rehydrating=facts.get("ArchiveStatus", "").startswith("rehydrate-pending"),
    )


@lru_cache
def _time(text: str) -> datetime:
    return parsedate_to_datetime(text)
