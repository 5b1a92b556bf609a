"""A stream of unknown length into one blob: hashed on the way, small ones in one request, large ones in blocks."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from types import TracebackType
from typing import Self

from include.drive_backup.ports import BlobStore

MIB = 1024**2
#: Up to here content is one Put Blob; larger content is staged in blocks of at least this size.
BLOCK_SIZE = 8 * MIB
#: Blocks that a blob may have. Source: Azure REST reference, "Put Block List".
MAX_BLOCKS = 50_000


def block_size(size: int | None) -> int:
    """Bytes per block for content of a size: whole MiB, so many that 50,000 blocks are enough.

    :param size: in bytes; None when it is not known before.
    """
    return max(BLOCK_SIZE, math.ceil((size or 0) / MAX_BLOCKS / MIB) * MIB)


def memory_of(size: int | None) -> int:
    """Bytes of memory that an upload needs at most: one block on its way to Blob while the next one fills."""
    block = block_size(size)
    return 2 * (block if size is None else min(size, block))


class Upload:
    """Takes pieces; nothing is visible under the name before :meth:`commit`. Use it as an async context manager.

    :param size: bytes to come, None when that is not known; it only decides the size of blocks.
    """

    def __init__(self, store: BlobStore, name: str, size: int | None) -> None:
        self.name = name
        self.size = 0
        self._store = store
        self._block = block_size(size)
        # Another try, or another run, may be staging other bytes under this name: each upload has pieces of its own.
        self._key = secrets.token_hex(8)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._held = 0
        self._blocks = 0
        self._staging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._staging is not None:
            self._staging.cancel()
            await asyncio.gather(self._staging, return_exceptions=True)

    @property
    def md5(self) -> str:
        """MD5 of what came so far, hex."""
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 of what came so far, hex."""
        return self._sha256.hexdigest()

    async def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._md5.update(piece)
        self._sha256.update(piece)
        self.size += len(piece)
        view = memoryview(piece)
        # The last block is held back until more comes: content of exactly one block is one Put Blob.
        while self._held + len(view) > self._block:
            room = self._block - self._held
            self._hold(view[:room])
            view = view[room:]
            await self._stage()
        self._hold(view)

    async def commit(self, *, content_type: str, metadata: dict[str, str]) -> bool:
        """Make the blob.

        :return: true when this call created it, false when the name was taken.
        """
        if self._blocks == 0:
            return await self._store.put(self.name, self._take(), content_type=content_type, metadata=metadata)
        await self._stage()
        await self._settle()
        return await self._store.commit_blocks(
            self.name,
            self._blocks,
            upload_key=self._key,
            md5=self._md5.digest(),
            content_type=content_type,
            metadata=metadata,
        )

    def _hold(self, view: memoryview) -> None:
        if view:
            self._pieces.append(bytes(view))
            self._held += len(view)

    def _take(self) -> bytes:
        data, self._pieces, self._held = b"".join(self._pieces), [], 0
        return data

    async def _stage(self) -> None:
        """Send what is held as the next block, in the background, once the one before has arrived."""
        await self._settle()
        call = self._store.stage_block(self.name, self._blocks, self._take(), upload_key=self._key)
        self._staging = asyncio.ensure_future(call)
        self._blocks += 1

    async def _settle(self) -> None:
        """Wait for the block under way; being cancelled here cancels it too."""
        if self._staging is not None:
            await self._staging
            self._staging = None
