"""The bytes of one file into one blob: hashed on the way, few in one request, many in blocks."""

from __future__ import annotations

import asyncio
import math
import secrets
from functools import cached_property
from types import TracebackType
from typing import Self

from include.drive_backup.hashing import Checksums
from include.drive_backup.model import Tier
from include.drive_backup.ports import BlobStore

MIB = 1024**2
#: Up to here content is one Put Blob; larger content is staged in blocks of at least this size.
BLOCK_SIZE = 8 * MIB
#: Blocks that a blob may have. Source: Azure REST reference, "Put Block List".
MAX_BLOCKS = 50_000


def block_size(size: int | None, least: int = BLOCK_SIZE) -> int:
    """Bytes per block for content of a size: whole MiB, so many that 50,000 blocks are enough.

    :param size: in bytes; None when it is not known before.
    """
    return max(least, math.ceil((size or 0) / MAX_BLOCKS / MIB) * MIB)


def memory_of(size: int | None) -> int:
    """Bytes of memory that a stream needs at most: one block on its way to Blob while the next one fills."""
    block = block_size(size)
    return 2 * (block if size is None else min(size, block))


class Upload:
    """Takes bytes; nothing is visible under the name before :meth:`commit`. Use it as an async context manager.

    Either :meth:`write` takes pieces in order, or :meth:`place` takes blocks in any order; :meth:`finish` ends both.

    :param size: bytes to come, None when that is not known; it only decides the size of blocks.
    :param tier: of the blob; None: the account's default.
    """

    def __init__(self, store: BlobStore, name: str, size: int | None, tier: Tier | None = None) -> None:
        self.name = name
        self.size = 0
        self._store = store
        self._tier = tier
        self._block = block_size(size)
        self._sums = Checksums()
        self._turn = asyncio.Condition()
        self._hashed = 0
        self._held = bytearray()
        self._blocks = 0
        self._placing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.gather(self._placing, return_exceptions=True)

    @cached_property
    def _key(self) -> str:
        # Another try, or another run, may be staging other bytes under this name: each upload has pieces of its own.
        return secrets.token_hex(8)

    @property
    def md5(self) -> str:
        """MD5 of all that came, hex, once it is finished."""
        return self._sums.md5

    @property
    def sha256(self) -> str:
        """SHA-256 of all that came, hex, once it is finished."""
        return self._sums.sha256

    async def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self.size += len(piece)
        view = memoryview(piece)
        # The last block is held back until more comes: content of exactly one block is one Put Blob.
        while len(self._held) + len(view) > self._block:
            room = self._block - len(self._held)
            self._held += view[:room]
            view = view[room:]
            await self._settle()
            # In the background: the next block fills meanwhile.
            self._placing = asyncio.ensure_future(self._place(self._blocks, self._take()))
            self._blocks += 1
        self._held += view

    async def place(self, index: int, block: bytearray) -> None:
        """Take block ``index``. Returns when it is staged, and hashed after all the blocks before it."""
        self.size += len(block)
        self._blocks = max(self._blocks, index + 1)
        await self._place(index, block)

    async def finish(self) -> None:
        """All bytes have come; :meth:`commit` does this too."""
        await self._settle()
        if self._sums.size < self.size:
            await self._sums.add(self._held)

    async def commit(self, *, content_type: str, metadata: dict[str, str]) -> bool:
        """Make the blob.

        :return: true when this call created it, false when the name was taken.
        """
        await self.finish()
        if self._blocks == 0:
            md5 = bytes.fromhex(self.md5)
            return await self._store.put(
                self.name, self._take(), content_type=content_type, metadata=metadata, md5=md5, tier=self._tier
            )
        if self._held:
            await self._store.stage_block(self.name, self._blocks, self._take(), upload_key=self._key)
            self._blocks += 1
        return await self._store.commit_blocks(
            self.name,
            self._blocks,
            upload_key=self._key,
            md5=bytes.fromhex(self.md5),
            content_type=content_type,
            metadata=metadata,
            tier=self._tier,
        )

    def _take(self) -> bytearray:
        data, self._held = self._held, bytearray()
        return data

    async def _place(self, index: int, block: bytearray) -> None:
        staging = asyncio.ensure_future(self._store.stage_block(self.name, index, block, upload_key=self._key))
        try:
            async with self._turn:
                await self._turn.wait_for(lambda: self._hashed == index)
                await self._sums.add(block)
                self._hashed += 1
                self._turn.notify_all()
            await staging
        finally:
            staging.cancel()
            await asyncio.gather(staging, return_exceptions=True)

    async def _settle(self) -> None:
        """Wait for the block under way; being cancelled here cancels it too."""
        if self._placing is not None:
            await self._placing
            self._placing = None
