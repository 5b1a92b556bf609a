"""Bodies: ranges, pace and the faults that strike them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from include.local_cloud.drive.content import INLINE, PIECE, Buffer, Content
from include.local_cloud.drive.context import Service
from include.local_cloud.drive.errors import ApiError, file_not_found, forbidden
from include.local_cloud.drive.faults import Rule

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Delivery:
    """What is sent to whom.

    :ivar sized: with Content-Length and Range, as blobs are; exports have neither.
    """

    service: Service
    request: web.Request
    route: str
    file_id: str
    email: str
    content: Content
    content_type: str
    name: str
    sized: bool = True


async def deliver(job: Delivery) -> web.StreamResponse:
    """Send a body.

    :raises ApiError: 416 for a range outside of it, 404 or 403 when a file on disk is gone or unreadable.
    """
    settings = job.service.faults.settings
    if settings.media_latency_ms:
        await asyncio.sleep(settings.media_latency_ms / 1000)
    start, end, partial = _range(job)
    fault = job.service.faults.strike(job.route, job.file_id, job.email, body=True)
    headers = _headers(job, start, end, partial=partial)
    job.service.stats.downloads[job.file_id] += 1
    status = 206 if partial else 200
    first_end = next(job.content.pieces(start, end), (start, start))[1]
    first = await _read_first(job, start, first_end)
    if first_end == end and job.sized and fault is None and not settings.bandwidth:
        job.service.stats.bytes_out += len(first)
        return web.Response(status=status, headers=headers, body=bytes(first))
    response = web.StreamResponse(status=status, headers=headers)
    if job.sized:
        response.content_length = end - start
    await response.prepare(job.request)
    await _stream(job, response, first, (start, end), fault)
    return response


def _range(job: Delivery) -> tuple[int, int, bool]:
    size = job.content.size
    match = _RANGE.fullmatch(job.request.headers.get("Range", "")) if job.sized else None
    if match is None or match[0] == "bytes=-":
        return 0, size, False
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < int(first):
        return 0, size, False
    if start >= size:
        raise ApiError(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            location="Range",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end, True


def _headers(job: Delivery, start: int, end: int, *, partial: bool) -> dict[str, str]:
    headers = {
        "Content-Type": job.content_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(job.name, errors='replace')}",
    }
    if job.sized:
        headers["Accept-Ranges"] = "bytes"
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{job.content.size}"
    return headers


async def _read(content: Content, start: int, end: int) -> Buffer:
    if content.blocking and end - start > INLINE:
        return await asyncio.get_running_loop().run_in_executor(None, content.read, start, end)
    return content.read(start, end)


async def _read_first(job: Delivery, start: int, end: int) -> Buffer:
    try:
        piece = await _read(job.content, start, end) if end > start else b""
    except PermissionError as error:
        raise forbidden("cannotDownloadFile", "This file cannot be downloaded by the user.") from error
    except OSError as error:
        raise file_not_found(job.file_id) from error
    if len(piece) != end - start:
        raise ApiError(503, "backendError", "The file changed while it was read.")
    return piece


async def _pieces(job: Delivery, first: Buffer, span: tuple[int, int]) -> AsyncIterator[Buffer]:
    start, end = span
    yield first
    for low, high in job.content.pieces(start + len(first), end):
        try:
            yield await _read(job.content, low, high)
        except OSError:
            return


async def _stream(
    job: Delivery, response: web.StreamResponse, first: Buffer, span: tuple[int, int], fault: Rule | None
) -> None:
    bandwidth = job.service.faults.settings.bandwidth
    step = max(bandwidth // 20, 1) if bandwidth else PIECE
    sent, total = 0, span[1] - span[0]
    mark = -1 if fault is None else max(fault.at % total if total and fault.at < 0 else fault.at, 0)
    async for piece in _pieces(job, first, span):
        for low in range(0, len(piece), step):
            part = piece[low : low + step]
            if fault is not None and sent <= mark < sent + len(part):
                part = await _spoil(response, part, mark - sent, fault)
            await response.write(part)
            sent += len(part)
            job.service.stats.bytes_out += len(part)
            if fault is not None and fault.kind == "cut" and sent >= mark:
                _hang_up(job.request)
                return
            if bandwidth:
                await asyncio.sleep(len(part) / bandwidth)
    if sent < total:
        _hang_up(job.request)


async def _spoil(response: web.StreamResponse, part: Buffer, place: int, fault: Rule) -> Buffer:
    if fault.kind == "cut":
        return part[:place]
    if fault.kind == "corrupt":
        return bytes(part[:place]) + bytes([part[place] ^ 0xFF]) + bytes(part[place + 1 :])
    await response.write(part[:place])
    await asyncio.sleep(fault.seconds)
    return part[place:]


def _hang_up(request: web.Request) -> None:
    """End the connection before the body is complete, as a broken network would."""
    if request.transport is not None:
        request.transport.close()
