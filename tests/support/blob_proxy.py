"""A way to a Blob service on which things go wrong, for requests that a test picks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from aiohttp import web

#: Called with each request; the fault that strikes it, or None. ``503``: refused before it is served. ``500``: served,
#: and then an error is answered. ``cut`` and ``lost``: the connection ends before and after it is served. ``hang``: no
#: answer for some seconds. Anything else is a service's error code, with which a 409 is answered.
Pick = Callable[[web.Request], str | None]
Proxy = TypeVar("Proxy", bound="BlobProxy")

HANG = 3.0


class BlobProxy:
    """Forwards to an origin; ``url`` is its own address.

    :param origin: scheme, host and port.
    """

    def __init__(self, origin: str, pick: Pick | None = None) -> None:
        self.origin = origin
        self.pick = pick or (lambda request: None)
        self.struck: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.url = ""
        self._session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fault = self.pick(request)
        if fault is None:
            return await self._forward(request, body)
        self.struck[fault] += 1
        if fault in ("500", "lost"):
            await self._forward(request, body)
        if fault in ("cut", "lost"):
            request.transport.close()
            return web.Response()
        if fault == "hang":
            await asyncio.sleep(HANG)
        status, code = {
            "503": (503, "ServerBusy"),
            "500": (500, "InternalError"),
            "hang": (500, "OperationTimedOut"),
        }.get(fault, (409, fault))
        return web.Response(status=status, headers={"x-ms-error-code": code})

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        self.served[request.method] += 1
        skip = {"host", "connection", "transfer-encoding", "expect"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in skip}
        url = aiohttp.client.URL(self.origin + request.raw_path, encoded=True)
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, skip_auto_headers=("Content-Type", "User-Agent")
        ) as answer:
            data = await answer.read()
            skip |= {"keep-alive", "content-length"} if request.method != "HEAD" else {"keep-alive"}
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in skip}
            return web.Response(status=answer.status, body=data, headers=kept)


@asynccontextmanager
async def blob_proxy(origin: str, pick: Pick | None = None) -> AsyncIterator[BlobProxy]:
    async with serving(BlobProxy(origin, pick)) as proxy:
        yield proxy


@asynccontextmanager
async def serving(proxy: Proxy) -> AsyncIterator[Proxy]:
    """Let a proxy answer on a free port."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=False) as proxy._session:
            yield proxy
    finally:
        await runner.cleanup()
