"""A scripted HTTP server for tests of the Drive client: each route answers what the test says, in turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)


class FakeTokens:
    """Tokens t0, t1 …; a rejected one is replaced by the next."""

    headers: dict[str, str] = {}

    def __init__(self) -> None:
        self.renewals = 0

    async def token(self) -> str:
        return f"t{self.renewals}"

    async def renew(self, rejected: str) -> str:
        if rejected == await self.token():
            self.renewals += 1
        return await self.token()

    def acting_as(self, user: str) -> FakeTokens:
        return FakeTokens()


class ScriptedServer:
    """Routes by method and path; several answers are given in turn, the last one from then on."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}

    def on(self, path: str, *answers: Answer, method: str = "GET") -> None:
        self._answers[method, path] = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        answers = self._answers.get((request.method, request.path))
        if not answers:
            return await refusal(404, "notFound", f"File not found: {request.path}.")(request)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return await answer(request)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def queries(self, path: str) -> list[dict[str, str]]:
        return [dict(request.query) for request in self.requests if request.path == path]


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def ok(data: Any, **headers: str) -> Answer:
    """200 with JSON."""
    return raw(json.dumps(data).encode(), "application/json", **headers)


def raw(body: bytes, content_type: str = "application/octet-stream", status: int = 200, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, content_type=content_type, headers=named)

    return answer


def refusal(status: int, reason: str, message: str = "No.", location: str = "", **headers: str) -> Answer:
    """An error as Drive words it."""
    first = {"domain": "global", "reason": reason, "message": message}
    if location:
        first["location"] = location
    body = {"error": {"code": status, "message": message, "errors": [first]}}
    return raw(json.dumps(body).encode(), "application/json", status, **headers)


def redirect(url: str) -> Answer:
    return raw(b"", status=302, Location=url)


def cut(body: bytes, length: int | None, content_type: str = "application/octet-stream") -> Answer:
    """Send ``body``, then break the connection: of ``length`` bytes promised, or of a chunked answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        if length is None:
            response.enable_chunked_encoding()
        else:
            response.content_length = length
        await response.prepare(request)
        await response.write(body)
        await asyncio.sleep(0.02)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer
