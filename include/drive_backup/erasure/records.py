"""The record of an erasure: who erased what, when and why. It holds ids and counts, no names and no paths of items.

    erased/<source>/<instant>-<token>/begun.json
    erased/<source>/<instant>-<token>/done.json

The first one is written before anything is erased. It has the ids of the items, and marks of the content, so that after
a kill the next erasure of the same item finds what no snapshot refers to any more.
"""

from __future__ import annotations

import msgspec

from include.drive_backup import __version__
from include.drive_backup.blob.names import erased_prefix
from include.drive_backup.erasure.look import Look
from include.drive_backup.erasure.model import Erasure, Who
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.model import Source, Struct, format_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import decode_json

_JSON = "application/json"


class Begun(Struct, frozen=True):
    """What was about to be erased.

    :param item: the id of the item; None: all of the source.
    :param items: ids of all items that go with it.
    :param content: the marks of content blobs, in hex.
    """

    source: str
    when: str
    by: str
    item: str | None = None
    reason: str = ""
    software_version: str = ""
    items: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


async def begin(store: BlobStore, source: Source, item: str | None, who: Who, look: Look | None, token: str) -> Begun:
    """Write the first record."""
    begun = Begun(
        source=str(source),
        when=format_instant(await store.now()),
        by=who.by,
        reason=who.reason,
        item=item,
        software_version=__version__,
        items=tuple(sorted(look.ids)) if look else (),
        content=tuple(sorted(mark.hex() for mark in look.wanted)) if look else (),
    )
    await store.put(f"{folder_of(begun, token)}begun.json", _json(begun), content_type=_JSON)
    return begun


def folder_of(begun: Begun, token: str) -> str:
    """Where the record of an erasure is, with a slash at its end."""
    return f"{erased_prefix(Source.parse(begun.source))}{begun.when}-{token}/"


async def finish(store: BlobStore, erasure: Erasure, by: str) -> None:
    """Write the last record."""
    said = {**erasure.to_dict(), "by": by, "when": format_instant(await store.now()), "whole": erasure.whole}
    await store.put(f"{erasure.record}done.json", _json(said), content_type=_JSON)


async def remember(store: BlobStore, source: Source, item: str, look: Look) -> None:
    """Add what earlier erasures of an item were about to erase, so that one that was broken off is finished."""
    async for info in store.list(erased_prefix(source)):
        data = await store.read(info.name) if info.name.endswith("/begun.json") else None
        if data is None:
            continue
        try:
            begun: Begun = decode_json(data, Begun)
            if begun.item == item:
                look.wanted.update(bytes.fromhex(mark) for mark in begun.content)
        except ValueError as error:
            raise CorruptStoreError(f"{info.name} is no record of an erasure ({error}).") from error


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
