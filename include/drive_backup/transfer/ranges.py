"""One large file, read in long ranges, several at once, each as a stream that becomes blocks of its blob.

Only files whose checksum Drive knows are read like this: it proves that all ranges are of one content version. Blocks
are hashed in order, so those that run ahead wait in memory; the budget bounds how far they run.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator

from include.drive_backup.errors import BrokenBodyError
from include.drive_backup.model import Item
from include.drive_backup.ports import Drive
from include.drive_backup.transfer.budget import MemoryBudget
from include.drive_backup.transfer.upload import BLOCK_SIZE, MIB, Upload, block_size

#: Bytes of one range. Each costs the quota units of a download: half the size would cost twice the units.
RANGE = 128 * MIB
#: Bytes that are staged at once.
BLOCK = BLOCK_SIZE
#: Smaller files are one stream, which begins anew when it breaks.
FROM = 32 * MIB + 1
#: Bytes that a block needs beside its own: spare room of its buffer, and what its connection holds.
_MORE = 2 * MIB

#: Calls something that may break off, as often as one file's bytes may be read.
Again = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


def suits(item: Item) -> bool:
    """Whether an item is to be read in ranges."""
    known = item.md5 is not None or item.sha256 is not None
    return item.kind == "file" and known and (item.size or 0) >= FROM


def ranges_of(size: int) -> int:
    """Requests that a file of so many bytes takes."""
    return 1 if size < FROM else math.ceil(size / _step(size))


async def read_in_ranges(drive: Drive, item: Item, upload: Upload, memory: MemoryBudget, again: Again) -> None:
    """Read all of an item into an upload. A range that breaks goes on where it broke.

    :param memory: what the blocks share with all other files in flight.
    :raises ItemChangedError: Drive's file is no longer of the item's size.
    :raises BrokenBodyError: reason ``rangeIgnored`` when something on the way gives whole files only.
    """
    size = item.size or 0
    block, window = block_size(size, BLOCK), _Window(memory, block_size(size, BLOCK) + _MORE)

    async def place(start: int, data: bytearray) -> None:
        try:
            await upload.place(start // block, data)
        finally:
            window.give()

    try:
        async with asyncio.TaskGroup() as group:
            for span in _spans(size):
                part = _Range(drive, item, span, block, lambda start, data: group.create_task(place(start, data)))
                for start in range(*span, block):
                    await window.take()
                    part.granted.release()
                    if start == span[0]:
                        group.create_task(part.read(again))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        window.close()


def _step(size: int) -> int:
    """Bytes of a range: whole blocks."""
    block = block_size(size, BLOCK)
    return max(1, RANGE // block) * block


def _spans(size: int) -> Iterator[tuple[int, int]]:
    step = _step(size)
    return ((start, min(start + step, size)) for start in range(0, size, step))


class _Window:
    """Memory for the blocks of one file, taken in their order: the one that is hashed next always has its own.

    :param amount: bytes for one block.
    """

    def __init__(self, memory: MemoryBudget, amount: int) -> None:
        self._memory = memory
        self._amount = amount
        self._held = 0

    async def take(self) -> None:
        """Wait for the memory of the next block."""
        await self._memory.take(self._amount)
        self._held += 1

    def give(self) -> None:
        """One block is done with."""
        self._held -= 1
        self._memory.give(self._amount)

    def close(self) -> None:
        """Nothing is under way any more."""
        while self._held:
            self.give()


class _Range:
    """One range on its way to its blocks.

    :param hand_over: takes a block, by where it starts in the file.
    :ivar granted: a permit for each block that has its memory.
    """

    def __init__(
        self,
        drive: Drive,
        item: Item,
        span: tuple[int, int],
        block: int,
        hand_over: Callable[[int, bytearray], object],
    ) -> None:
        self.granted = asyncio.Semaphore(0)
        self._drive = drive
        self._item = item
        self._at, self._end = span
        self._block = block
        self._data = bytearray()
        self._hand_over = hand_over

    async def read(self, again: Again) -> None:
        """Read all of it."""
        while self._at < self._end:
            await again(self._go_on)

    async def _go_on(self) -> None:
        """One request, from where the last one broke; one that got far counts as no failure."""
        before = self._at
        try:
            async with self._drive.open_content(self._item, None, (self._at, self._end)) as body:
                async for piece in body:
                    await self._take(piece)
        except BrokenBodyError:
            if self._at - before < self._block:
                raise
        if self._at - before < min(self._block, self._end - before):
            name, wanted = self._item.name, self._end - before
            raise BrokenBodyError(
                f"A range of '{name}' came with {self._at - before} of {wanted} bytes.", reason="cutBody"
            )

    async def _take(self, piece: bytes) -> None:
        view = memoryview(piece)[: self._end - self._at]
        while view:
            if not self._data:
                await self.granted.acquire()
            part = view[: self._block - len(self._data)]
            self._data += part
            self._at += len(part)
            view = view[len(part) :]
            if len(self._data) == self._block or self._at == self._end:
                self._hand_over(self._at - len(self._data), self._data)
                self._data = bytearray()
