"""``/batch/drive/v3``: up to 100 calls in one request. They go through the front door again, each at its own price."""

from __future__ import annotations

import asyncio
import secrets
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

import aiohttp
from aiohttp import web

from include.local_cloud.drive.context import Service
from include.local_cloud.drive.errors import bad_request

MAX_CALLS = 100
MAX_URL = 8_000
_FORBIDDEN = ("alt=media", "/export", "/download", "/upload")


async def answer(service: Service, session: aiohttp.ClientSession, request: web.Request) -> web.Response:
    """Run the inner calls at once; the answer has a part for each, in order.

    :raises ApiError: 400 when it is no batch, or one of more than 100 calls.
    """
    header = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    parsed = BytesParser().parsebytes(header + await request.read())
    parts = parsed.get_payload()
    if not isinstance(parts, list) or not parsed.is_multipart():
        raise bad_request("Failed to parse batch request.")
    if len(parts) > MAX_CALLS:
        raise bad_request(f"The batch request contains too many calls: at most {MAX_CALLS} are allowed.")
    outer = request.headers.get("Authorization")
    answers = await asyncio.gather(*(_run(service, session, part, outer) for part in parts))
    boundary = f"batch_{secrets.token_hex(8)}"
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in answers)
    return web.Response(
        body=body + b"--%b--\r\n" % boundary.encode(), headers={"Content-Type": f"multipart/mixed; boundary={boundary}"}
    )


async def _run(service: Service, session: aiohttp.ClientSession, part: object, outer: str | None) -> bytes:
    if not isinstance(part, Message):
        raise bad_request("Failed to parse batch request.")
    text = part.get_payload(decode=True)
    line, _, rest = (text if isinstance(text, bytes) else b"").lstrip().partition(b"\n")
    inner = BytesParser().parsebytes(rest)
    verb, path = [*line.decode().split(), "", ""][:2]
    if not path.startswith("/") or len(path) > MAX_URL or any(word in path for word in _FORBIDDEN):
        raise bad_request("Batches take calls of the Drive API by path, without media, at most 8,000 characters long.")
    headers = {name: value for name, value in inner.items() if name.lower() not in {"host", "content-length"}}
    if outer and "authorization" not in {name.lower() for name in headers}:
        headers["Authorization"] = outer
    payload = inner.get_payload(decode=True)
    async with session.request(
        verb, service.url + path, headers=headers, data=payload if isinstance(payload, bytes) and payload else None
    ) as response:
        body = await response.read()
        status = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
        kind = response.headers.get("Content-Type", "application/json; charset=UTF-8")
    ident = part.get("Content-ID", "")
    mark = f"Content-ID: <response-{ident.strip('<>')}>\r\n" if ident else ""
    head = (
        f"Content-Type: application/http\r\n{mark}\r\n{status}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    )
    return head.encode() + b"\r\n" + body
