"""Content in the archive tier: which of it a restore needs, asking for it, and waiting until it can be read.

It is taken to ``hot``, which alone has no least time of storage. What is on its way already is not asked for again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Priority, Refused, Struct, counted, human_bytes
from include.drive_backup.ports import BlobInfo, BlobStore, Clock
from include.drive_backup.restore.selection import Entry
from include.drive_backup.work import PartWriter, read_parts

#: So many blobs are looked at one by one; of more, a listing tells.
_HEADS = 100
_AT_ONCE = 500
#: Seconds before a trigger looks for the first time; enough that a task that is woken too soon is no loop.
_FIRST = 10.0
_HOURS = {"standard": "up to 15 hours", "high": "often less than an hour for files below 10 GB, and up to 15"}

Archived = Sequence[BlobInfo]


class BlobName(Struct, frozen=True):
    """A line of :func:`write_names`."""

    name: str


async def contents_of(store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry]) -> set[str]:
    """The names of the blobs that a restore reads.

    :param wanted: from :func:`.selection.select`.
    """
    rows = read_rows(store, manifest, ["path", "contents"])
    return {content["blob"] async for row in rows if row["path"] in wanted for content in row["contents"] or ()}


async def archived_among(store: BlobStore, names: Collection[str]) -> list[BlobInfo]:
    """Those of some blobs that cannot be read now; one that is missing is none of them."""
    if len(names) <= _HEADS:
        found = await asyncio.gather(*(store.head(name) for name in names))
        return [info for info in found if info is not None and info.archived]
    wanted = frozenset(names)
    return [
        info async for info in store.list(_common(min(wanted), max(wanted))) if info.archived and info.name in wanted
    ]


def _common(first: str, last: str) -> str:
    """What all names between two begin with."""
    pairs = zip(first, last, strict=False)
    return "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


async def write_names(store: BlobStore, prefix: str, names: Iterable[str]) -> int:
    """Write down the names of blobs for somebody who waits for them; returns how many parts.

    :param prefix: used by nobody else.
    """
    async with PartWriter[BlobName](store, prefix, 50_000) as writer:
        for name in names:
            await writer.write(BlobName(name=name))
    return writer.parts


async def read_names(store: BlobStore, prefix: str, parts: int) -> list[str]:
    """What :func:`write_names` wrote.

    :raises CorruptStoreError: a part is missing or broken.
    """
    return [row.name async for row in read_parts(store, prefix, BlobName, parts=parts)]


async def ask(store: BlobStore, archived: Archived, priority: Priority) -> dict[str, Refused]:
    """Ask to rehydrate what nobody has asked for yet.

    :return: which blobs stay archived, and why: each of them will be missing from what is restored.
    """
    names = [info.name for info in archived if not info.rehydrating]
    refused: dict[str, Refused] = {}
    for start in range(0, len(names), _AT_ONCE):
        refused |= await store.set_tier(names[start : start + _AT_ONCE], "hot", priority=priority)
    # Somebody else has just asked for it.
    return {name: why for name, why in refused.items() if why.reason != "BlobBeingRehydrated"}


async def bring_online(
    store: BlobStore,
    names: Collection[str],
    priority: Priority,
    clock: Clock,
    *,
    every: float = 60.0,
    progress: Callable[[Archived], None] | None = None,
) -> dict[str, Refused]:
    """Ask for what is archived, and wait until it can be read.

    :param every: seconds between two looks, at most; the first ones follow sooner.
    :param progress: called after each look with what is archived still.
    :return: which blobs stay archived, and why.
    """
    refused: dict[str, Refused] = {}
    pause = 1.0
    while archived := [info for info in await archived_among(store, names) if info.name not in refused]:
        if progress is not None:
            progress(archived)
        # Each time, since somebody may have archived one anew.
        refused |= await ask(store, archived, priority)
        names = [info.name for info in archived]
        await clock.sleep(pause)
        pause = min(pause * 2, every)
    return refused


async def settle(store: BlobStore, names: Collection[str], clock: Clock, *, every: float) -> None:
    """Wait until nothing of some blobs is on its way any more.

    :param every: seconds between two looks, at most; the first ones follow sooner.
    """
    pause = min(_FIRST, every)
    while names:
        await clock.sleep(pause)
        pause = min(pause * 2, every)
        names = [info.name for info in await archived_among(store, names) if info.rehydrating]


def amount_of(archived: Archived) -> str:
    """``3 files, 1.2 GB``."""
    return f"{counted(len(archived), 'file')}, {human_bytes(sum(info.size for info in archived))}"


def notice(archived: Archived, priority: Priority) -> str:
    """What a person has to know before it is done."""
    pending = sum(info.rehydrating for info in archived)
    already = f", {pending:,} of them on their way already" if pending else ""
    return (
        f"In the archive tier: {amount_of(archived)}{already}. That has to be rehydrated before it can be restored. "
        f"With the priority {priority} it takes {_HOURS[priority]}. Azure bills it by the GB, and charges for the rest "
        "of 180 days what leaves the archive sooner."
    )
