"""The last moment before a request leaves: the HTTP client has a connection for it, and writes it next.

A guard that was asked any earlier would let a request pass that then waits: for a token, for a free connection, for its
turn in the event loop. A process may be frozen in all of these, and wake up hours later.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Self

import aiohttp
from aiohttp.connector import Connection

from include.drive_backup.ports import Guard

_gate: ContextVar[Gate | None] = ContextVar("gate", default=None)


class Watch:
    """A guard over all requests of one call: once it has raised, it raises for each further one.

    :param guard: None: everything may be sent.
    """

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard
        self.refusal: Exception | None = None

    def __call__(self) -> None:
        """Let a request be sent.

        :raises Exception: what the guard raises.
        """
        if self.refusal is not None:
            raise self.refusal
        if self._guard is None:
            return
        try:
            self._guard()
        except Exception as error:
            self.refusal = error
            raise


class Gate:
    """A guard for one request. A context manager: the requests of this task, meanwhile, are its own."""

    def __init__(self, guard: Guard | None) -> None:
        self._watch = Watch(guard)
        self._token: Token[Gate | None] | None = None

    def __enter__(self) -> Self:
        self._token = _gate.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _gate.reset(self._token)

    @property
    def refusal(self) -> Exception | None:
        """What the guard raised; the client may hide it behind an error of its own."""
        return self._watch.refusal

    def pass_through(self) -> None:
        """Ask the guard.

        :raises Exception: what the guard raises.
        """
        self._watch()


class GatedRequest(aiohttp.ClientRequest):
    """A request that asks the gate when it is written. One with a body asks when the body is."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request."""
        gate = _gate.get()
        if gate is not None and not self.body:
            gate.pass_through()
        return await super().send(conn)
