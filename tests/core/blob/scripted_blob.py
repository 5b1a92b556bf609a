"""A Blob service that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore

KEY = "c2VjcmV0" * 4


class Asked(NamedTuple):
    method: str
    path: str
    query: dict
    headers: dict
    body: bytes


def answer(status=201, code=None, body=b"", **headers):
    """An answer; ``code`` is the service's error code."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    if code:
        named["x-ms-error-code"] = code
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Because.</Message></Error>".encode()
        named["Content-Type"] = "application/xml"
    return status, body, named


HANG_UP = "hang up"


class ScriptedBlob:
    def __init__(self):
        self.script = []
        self.asked = []

    async def handle(self, request):
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        assert self.script, f"not expected: {request.method} {request.path_qs}"
        step = self.script.pop(0)
        if step == HANG_UP:
            request.transport.close()
            return web.Response()
        status, body, headers = step
        length = headers.pop("Cut", None)
        response = web.Response(status=status, body=body, headers=headers)
        if length is not None:
            response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(length)})
            await response.prepare(request)
            await response.write(body)
            request.transport.close()
        return response


@asynccontextmanager
async def scripted_store(clock, *script, settings=None):
    """A store on a scripted service. Yields both; all of the script must be used."""
    service = ScriptedBlob()
    service.script = list(script)
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url = f"http://127.0.0.1:{port}/account"
        credential = {"account_name": "account", "account_key": KEY}
        async with (
            ContainerClient(url, "backup", credential=credential) as client,
            AzureBlobStore(client, clock, settings) as store,
        ):
            yield store, service
        assert service.script == []
    finally:
        await runner.cleanup()
