"""Processes that are frozen or killed before a request: each has a view of the container of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from include.drive_backup.ports import BlobInfo
from tests.support.memory_blob import MemoryBlobStore


class Killed(Exception):  # noqa: N818 - not an error of the process
    """The process dies; nothing of it runs any more."""


class Gate:
    """Lets requests through until it stops its process.

    :param stops: before which request the process stops; None: never.
    :param kind: ``freeze`` until :meth:`thaw`, or ``kill``.
    :param late: a frozen request stops after its guard was asked, as if it were under way in the network.
    """

    def __init__(self, stops: int | None = None, kind: str = "freeze", *, late: bool = False) -> None:
        self._left, self._kind, self.late = stops, kind, late
        self._open = asyncio.Event()
        self._open.set()
        self.frozen = asyncio.Event()
        self.killed = False

    async def request(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                self.killed = self._kind == "kill"
                if not self.killed:
                    self._open.clear()
                    self.frozen.set()
        await self._open.wait()
        if self.killed:
            raise Killed

    def thaw(self) -> None:
        self._open.set()


class GatedStore:
    """The container as one process sees it."""

    def __init__(self, store: MemoryBlobStore, gate: Gate) -> None:
        self._store, self._gate = store, gate

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._store, name)
        if not asyncio.iscoroutinefunction(inner):
            return inner

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._gate.request()
            return await inner(*args, **kwargs)

        return call

    async def put(self, name: str, data: bytes, *, guard: Callable[[], None] | None = None, **kwargs: Any) -> bool:
        if self._gate.late and guard is not None:
            guard()
            await self._gate.request()
            return await self._store.put(name, data, **kwargs)
        await self._gate.request()
        return await self._store.put(name, data, guard=guard, **kwargs)

    async def delete(self, names: Sequence[str], *, guard: Callable[[], None] | None = None) -> dict[str, Any]:
        refused: dict[str, Any] = {}
        for name in names:
            await self._gate.request()
            refused |= await self._store.delete([name], guard=guard)
        return refused

    async def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        await self._gate.request()
        async for info in self._store.list(prefix, metadata=metadata):
            yield info

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        await self._gate.request()
        async for piece in self._store.stream(name):
            yield piece
