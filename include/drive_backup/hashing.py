"""Checksums, computed beside the event loop when there is much to compute: hashlib lets other threads run meanwhile."""

from __future__ import annotations

import asyncio
import hashlib

#: Bytes from which on another thread is worth its while.
_MUCH = 256 * 1024


class Checksums:
    """Length, MD5 and SHA-256 of bytes that come in order."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    async def add(self, data: bytes | bytearray) -> None:
        """Take the next bytes; one call after the other."""
        self.size += len(data)
        if len(data) < _MUCH:
            self._update(data)
        else:
            await asyncio.to_thread(self._update, data)

    def _update(self, data: bytes | bytearray) -> None:
        self._md5.update(data)
        self._sha256.update(data)

    @property
    def md5(self) -> str:
        """MD5 of what came so far, hex."""
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 of what came so far, hex."""
        return self._sha256.hexdigest()


async def md5_of(data: bytes | bytearray) -> bytes:
    """The MD5 of all the bytes."""
    if len(data) < _MUCH:
        return hashlib.md5(data, usedforsecurity=False).digest()
    return await asyncio.to_thread(lambda: hashlib.md5(data, usedforsecurity=False).digest())
