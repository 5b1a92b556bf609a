"""Does a blob name somebody or something? Its bytes are searched, and those of a packed one unpacked."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.ports import BlobInfo, BlobStore

_GZIP = b"\x1f\x8b"


def quoted(text: str) -> bytes:
    """What names an id in JSON."""
    return json.dumps(text).encode()


def spellings(text: str) -> tuple[str, ...]:
    """A text as it may be written: plainly, inside a text in JSON, and inside a name of a blob."""
    in_json = (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
    return tuple(dict.fromkeys((text, *in_json, encode_segment(text))))


def as_bytes(texts: Sequence[str]) -> list[bytes]:
    """What to look for in bytes: each text in all its spellings."""
    return [spelling.encode("utf-8", "surrogatepass") for text in texts for spelling in spellings(text)]


async def any_part_names(store: BlobStore, parts: Sequence[BlobInfo], item: str) -> bool:
    """Whether one of these parts of snapshots has an item, or cannot be read, so that nobody knows.

    :param item: its id.
    """
    from include.drive_backup.manifest.tables import may_have  # noqa: PLC0415 - imports pyarrow

    for info in parts:
        data = await store.read(info.name)
        if data is not None and may_have(data, item):
            return True
    return False


async def names_any(store: BlobStore, prefix: str, needles: Sequence[bytes]) -> bool:
    """Whether a blob under a prefix names one of them."""
    async for info in store.list(prefix, metadata=True):
        if await is_named_in(store, info, needles):
            return True
    return False


async def is_named_in(store: BlobStore, info: BlobInfo, needles: Sequence[bytes]) -> bool:
    """Whether a blob names one of them, in upper or lower case: in its name, its metadata or its bytes."""
    said = " ".join((info.name, *info.metadata.values())).encode("utf-8", "replace")
    wanted = [needle.lower() for needle in needles]
    if _has(said, wanted):
        return True
    data = await store.read(info.name) if info.size else None
    return data is not None and _has(_unpacked(data), wanted)


def _has(data: bytes, needles: Sequence[bytes]) -> bool:
    lower = data.lower()
    return any(needle in lower for needle in needles)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        return zlib.decompress(data, wbits=zlib.MAX_WBITS | 16)
    except zlib.error:
        return data
