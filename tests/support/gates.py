"""Processes that are frozen or killed before a request: each has a view of the container of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from include.drive_backup.ports import BlobInfo
from tests.support.memory_blob import MemoryBlobStore


class Killed(Exception):  # noqa: N818 - not an error of the process
    """The process dies; nothing of it runs any more."""


#: Says of a request, by operation and name, whether its process stops there.
Point = Callable[[str, str], bool]


def after(requests: int) -> Point:
    """Stop after so many requests."""
    left = requests

    def point(_operation: str, _name: str) -> bool:
        nonlocal left
        left -= 1
        return left < 0

    return point


def at(operation: str, part: str, times: int = 0) -> Point:
    """Stop at a request of this operation whose name has this part, after some like it."""
    left = times

    def point(its: str, name: str) -> bool:
        nonlocal left
        left -= its == operation and part in name
        return left < 0

    return point


class Gate:
    """Lets requests through until it stops its process.

    :param point: where the process stops; None: nowhere.
    :param kind: ``freeze`` until :meth:`thaw`, or ``kill``.
    :param late: a frozen request stops after its guard was asked, as if it were under way in the network.
    :param latency: seconds that the next request takes, so that processes run beside each other.
    :param travel: of a delete that its guard has let pass: seconds that it is under way in the network.
    """

    def __init__(
        self,
        point: Point | None = None,
        kind: str = "freeze",
        *,
        late: bool = False,
        latency: Callable[[], float] = lambda: 0.0,
        travel: Callable[[str], float] = lambda _name: 0.0,
    ) -> None:
        self._point, self._kind, self.late, self._latency = point, kind, late, latency
        self._travel = travel
        self._open = asyncio.Event()
        self._open.set()
        self.frozen = asyncio.Event()
        self.killed = False

    async def request(self, operation: str, name: str = "") -> None:
        """Wait until the request may be sent."""
        if self._point is not None and self._point(operation, name):
            self._point = None
            self.killed = self._kind == "kill"
            if not self.killed:
                self._open.clear()
                self.frozen.set()
        await asyncio.sleep(self._latency())
        await self._open.wait()
        if self.killed:
            raise Killed

    async def travel(self, name: str) -> None:
        """Wait until a request that was sent has arrived."""
        await asyncio.sleep(self._travel(name))

    def thaw(self) -> None:
        """Let the process go on."""
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
            await self._gate.request(name, str(args[0]) if args else "")
            return await inner(*args, **kwargs)

        return call

    async def put(self, name: str, data: bytes, *, guard: Callable[[], None] | None = None, **kwargs: Any) -> bool:
        if self._gate.late and guard is not None:
            guard()
            guard = None
        await self._gate.request("put", name)
        return await self._store.put(name, data, guard=guard, **kwargs)

    async def delete(self, names: Sequence[str], *, guard: Callable[[], None] | None = None) -> dict[str, Any]:
        refused: dict[str, Any] = {}
        for name in names:
            await self._gate.request("delete", name)
            if guard is not None:
                guard()
            await self._gate.travel(name)
            refused |= await self._store.delete([name])
        return refused

    async def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        await self._gate.request("list", prefix)
        async for info in self._store.list(prefix, metadata=metadata):
            yield info

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        await self._gate.request("stream", name)
        async for piece in self._store.stream(name):
            yield piece
