"""One large file, read in several ranges at once, each of which becomes a block of its blob.

Only files whose checksum Drive knows are read like this: it proves that all ranges are of one content version. The
ranges are hashed in order, so those that run ahead wait in memory; the budget bounds how far they run.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from include.drive_backup.errors import BrokenBodyError
from include.drive_backup.model import Item
from include.drive_backup.ports import Drive
from include.drive_backup.transfer.budget import MemoryBudget
from include.drive_backup.transfer.upload import MIB, Upload, block_size

#: Bytes of one range. Each costs the quota units of a download: half the size would cost twice the units.
RANGE = 16 * MIB
#: Smaller files are one request.
FROM = 2 * RANGE + 1
#: Bytes that a range needs beside its own: what the connections hold.
_MORE = 2 * MIB

#: Calls something that may break off, as often as one file's bytes may be read.
Again = Callable[[Callable[[], Awaitable[bytearray]]], Awaitable[bytearray]]


def suits(item: Item) -> bool:
    """Whether an item is to be read in ranges."""
    known = item.md5 is not None or item.sha256 is not None
    return item.kind == "file" and known and (item.size or 0) >= FROM


async def read_in_ranges(drive: Drive, item: Item, upload: Upload, memory: MemoryBudget, again: Again) -> None:
    """Read all of an item into an upload. A range that breaks is read again, not the file.

    :param memory: what the ranges share with all other files in flight.
    :raises ItemChangedError: Drive's file is no longer of the item's size.
    :raises BrokenBodyError: reason ``rangeIgnored`` when something on the way gives whole files only.
    """

    async def one(index: int, start: int, end: int) -> None:
        await upload.place(index, await again(lambda: _read(drive, item, start, end)))

    try:
        async with asyncio.TaskGroup() as group:
            for index, (start, end) in enumerate(_spans(item.size or 0)):
                amount = end - start + _MORE
                await memory.take(amount)
                # Not inside the task: one that is cancelled before it begins runs no line of its own.
                group.create_task(one(index, start, end)).add_done_callback(partial(_give, memory, amount))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _give(memory: MemoryBudget, amount: int, _: asyncio.Task[None]) -> None:
    memory.give(amount)


def ranges_of(size: int) -> int:
    """Requests that a file of so many bytes takes."""
    return 1 if size < FROM else math.ceil(size / block_size(size, RANGE))


def _spans(size: int) -> Iterator[tuple[int, int]]:
    step = block_size(size, RANGE)
    return ((start, min(start + step, size)) for start in range(0, size, step))


async def _read(drive: Drive, item: Item, start: int, end: int) -> bytearray:
    data, count = bytearray(end - start), 0
    async with drive.open_content(item, None, (start, end)) as body:
        async for piece in body:
            if count + len(piece) <= len(data):
                data[count : count + len(piece)] = piece
            count += len(piece)
            if count > len(data):
                break
    if count != len(data):
        raise BrokenBodyError(f"A range of '{item.name}' came with {count} of {len(data)} bytes.", reason="cutBody")
    return data
