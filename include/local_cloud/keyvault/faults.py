"""Makes the vault fail on demand, and counts what it was asked.

``POST /_admin/faults {"kind": "503" | "hang" | "403" | "429", "count": 3, "retry_after": 1}`` fails the next three
requests, or every one until ``DELETE /_admin/faults`` when there is no count. ``GET /_admin/stats`` gives the counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web

from include.local_cloud.keyvault.errors import VaultError, forbidden, throttled, unavailable

KINDS = ("503", "hang", "403", "429")
#: Longer than any client waits.
HANG_SECONDS = 3600.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Faults:
    """The switch and the counters."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._left: int | None = None
        self._retry_after = 1.0
        self.counts: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """The admin's requests."""
        return [
            web.post("/_admin/faults", self._set),
            web.delete("/_admin/faults", self._reset),
            web.get("/_admin/stats", self._stats),
        ]

    async def strike(self) -> None:
        """Fail this request, if it is to be.

        :raises VaultError: the fault.
        """
        kind = self._kind
        if kind is None:
            return
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._kind = None
        self.counts[f"fault {kind}"] += 1
        if kind == "hang":
            await asyncio.sleep(HANG_SECONDS)
        raise self._error(kind)

    def _error(self, kind: str) -> VaultError:
        if kind == "403":
            return forbidden("Caller is not authorized to perform action on resource.")
        return throttled(self._retry_after) if kind == "429" else unavailable()

    async def _set(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("kind") not in KINDS:
            return web.json_response({"error": f"kind must be one of {', '.join(KINDS)}"}, status=400)
        self._kind = body["kind"]
        self._left = body.get("count")
        self._retry_after = float(body.get("retry_after", 1))
        return web.json_response({"kind": self._kind, "count": self._left})

    async def _reset(self, _: web.Request) -> web.Response:
        self._kind = None
        return web.json_response({"kind": None})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self.counts))
