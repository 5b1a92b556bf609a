"""Reading a blob range by range: bounded memory, each range checked in transit, the whole against its Content-MD5."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobProperties

from include.drive_backup.blob.calls import Calls
from include.drive_backup.blob.errors import is_missing
from include.drive_backup.blob.rules import check_name
from include.drive_backup.errors import BrokenBodyError, CorruptStoreError

#: Bytes of one GET. The service gives a checksum of a range up to this size (REST reference, "Get Blob").
RANGE = 4 * 1024**2

Range = tuple[bytes, BlobProperties]


async def first_range(calls: Calls, name: str) -> Range | None:
    """The beginning of a blob, or None when there is no such blob."""
    check_name(name)
    # Without a range the SDK asks for the first part, and copes with an empty blob, which has no range.
    return await _get(calls, name, {})


async def pieces(calls: Calls, name: str, first: Range) -> AsyncIterator[bytes]:
    """All the bytes.

    :raises CorruptStoreError: at the end, when they are not those of the blob's Content-MD5.
    """
    found: Range | None = first
    properties = first[1]
    size, offset = int(str(properties.content_range).rpartition("/")[2]), 0
    digest = hashlib.md5(usedforsecurity=False)
    while found and found[0]:
        digest.update(found[0])
        offset += len(found[0])
        yield found[0]
        found = await _get(calls, name, _from(offset, properties)) if offset < size else None
    stored = properties.content_settings.content_md5
    if offset != size or (stored and digest.digest() != bytes(stored)):
        raise CorruptStoreError(_NOT_THE_BYTES.format(name=name))


_NOT_THE_BYTES = (
    "The blob '{name}' does not have the length or the bytes of its Content-MD5: it was damaged. If the account keeps "
    "versions or soft-deleted blobs, `drive-backup repair` puts it back from there."
)


def _from(offset: int, properties: BlobProperties) -> dict[str, Any]:
    same = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
    return {"offset": offset, "length": RANGE, **same}


async def _get(calls: Calls, name: str, part: dict[str, Any]) -> Range | None:
    client = calls.blob(name)

    async def get() -> Range | None:
        try:
            answer = await client.download_blob(validate_content="md5", **part, **calls.options())
            return await answer.read(RANGE), answer.properties
        except AzureError as error:
            if is_missing(error):
                return None
            raise

    try:
        return await calls.run(f"read '{name}'", get, needs="r")
    except BrokenBodyError as error:
        # Not the line's fault any more after so many attempts.
        raise CorruptStoreError(_NOT_THE_BYTES.format(name=name)) from error
