"""What Blob Storage accepts, checked before anything is sent. Pure.

Azurite and other look-alikes let through much that the service refuses, and some of it breaks them afterwards (a
control character in one name makes listing the whole container fail), so neither may be the judge.

Source: Azure Storage REST reference, "Naming and referencing containers, blobs, and metadata", "Put Block".
"""

from __future__ import annotations

import hashlib
import re
import string
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_to_bytes

#: One Put Blob; larger content goes in blocks. The service allows more; memory does not.
MAX_PUT_BYTES = 64 * 1024**2
MAX_BLOCK_BYTES = 4000 * 1024**2
MAX_BLOCKS = 50_000
MAX_METADATA_BYTES = 8 * 1024

_MAX_NAME = 1024
_MAX_SEGMENTS = 254
_PLANE_ENDS = "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
_BAD_CHARACTER = re.compile(rf"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\ufdd0-\ufdef\ufff0-\uffff{_PLANE_ENDS}]")
_KEY = re.compile(r"[a-z_][a-z0-9_]*")
_CONTENT_TYPE = re.compile(r"[!-~]+/[!-~]+( *;[ -~]*)?")
_PLAIN = "".join(set(string.punctuation) - {"%"})
#: What encoding leaves as it is.
_AS_IT_IS = re.compile(r"[!-$&-~]+")


def check_name(name: str) -> None:
    """Refuse a blob name that the service refuses or that clients alter.

    :raises ValueError: with what is wrong.
    """
    length = len(name) if name.isascii() else len(name.encode("utf-16-le", "surrogatepass")) // 2
    segments = name.split("/")
    if not 1 <= length <= _MAX_NAME or len(segments) > _MAX_SEGMENTS:
        raise ValueError(f"A blob name has 1 to {_MAX_NAME} characters and at most {_MAX_SEGMENTS} segments: {name!r}.")
    if _BAD_CHARACTER.search(name) or any(not segment or segment[-1] == "." for segment in segments):
        raise ValueError(f"Blob Storage does not hold this name as it is; encode it with encode_segment: {name!r}.")


def encode_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Percent-encode values (UTF-8) so that they survive as HTTP headers.

    :raises ValueError: a key is no lower-case identifier, a value is empty, or all together exceed 8 KiB.
    """
    encoded = {
        key: value if _AS_IT_IS.fullmatch(value) else quote(value, safe=_PLAIN, errors="surrogatepass")
        for key, value in metadata.items()
    }
    for key, value in encoded.items():
        if not _KEY.fullmatch(key) or not value:
            raise ValueError(f"Blob metadata needs lower-case identifiers with a value each: {key!r}={value!r}.")
    size = sum(len(key) + len(value) for key, value in encoded.items())
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"Blob metadata may have {MAX_METADATA_BYTES} bytes, these have {size}.")
    return encoded


def decode_metadata(metadata: dict[str, str] | None) -> dict[str, str]:
    """The inverse of :func:`encode_metadata`. Foreign values that are no valid encoding come out as they can."""
    return {_lower(key): _decode(value) if "%" in value else value for key, value in (metadata or {}).items()}


#: The same few keys come with each of a million blobs: one string for all of them.
_lower = lru_cache(str.lower)


def _decode(value: str) -> str:
    try:
        return unquote_to_bytes(value).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return unquote(value)


def content_type(mime_type: str) -> str:
    """The MIME type as a header may carry it; one that no header may carry becomes ``application/octet-stream``."""
    return mime_type if _CONTENT_TYPE.fullmatch(mime_type) else "application/octet-stream"


def block_id(upload_key: str, index: int) -> str:
    """The id of a block, before base64: the same for the same key and index, and equally long for all of them.

    :raises ValueError: the index is outside 0 … 49,999.
    """
    if not 0 <= index < MAX_BLOCKS:
        raise ValueError(f"A blob has at most {MAX_BLOCKS} blocks; {index} is out of range.")
    return f"{hashlib.sha256(upload_key.encode()).hexdigest()[:24]}-{index:08d}"


def check_put(name: str, size: int) -> None:
    """Refuse what cannot go in one request.

    :param size: bytes.
    :raises ValueError: bad name, or too large.
    """
    check_name(name)
    if size > MAX_PUT_BYTES:
        raise ValueError(f"{size} bytes are too many for one request; stage blocks of '{name}' instead.")


def check_block(name: str, size: int) -> None:
    """Refuse a block that the service refuses.

    :param size: bytes.
    :raises ValueError: bad name, empty or too large.
    """
    check_name(name)
    if not 0 < size <= MAX_BLOCK_BYTES:
        raise ValueError(f"A block has 1 to {MAX_BLOCK_BYTES} bytes, this one of '{name}' has {size}.")
