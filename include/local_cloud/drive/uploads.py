"""``files.create`` and ``files.update``: metadata alone, and the three kinds of upload."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from include.local_cloud.drive.content import Content
from include.local_cloud.drive.context import Call, Service, handles
from include.local_cloud.drive.discovery import methods
from include.local_cloud.drive.errors import ApiError, bad_request, invalid
from include.local_cloud.drive.files import answer_file
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.multipart import split
from include.local_cloud.drive.revisions import parse_object, read_object
from include.local_cloud.drive.sessions import Session
from include.local_cloud.drive.writing import check_create, check_update, create_file, update_file

SIMPLE_LIMIT = 5 * 1024 * 1024
CHUNK = 256 * 1024
UPLOAD_PREFIX = "/upload"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@handles("drive.files.create")
async def create(call: Call) -> web.Response:
    """A new file."""
    return await _receive(call, None)


@handles("drive.files.update")
async def update(call: Call) -> web.Response:
    """A change."""
    return await _receive(call, call.item())


async def _receive(call: Call, item: Item | None) -> web.Response:
    if not call.request.path.startswith(UPLOAD_PREFIX):
        return await _finish(call, item, await read_object(call.request), None, None)
    kind = call.params.get("uploadType")
    if kind == "media":
        session = _session(call, item, {}, _media_type(call.request))
        await _take(call.service, session, call.request.content.iter_chunked(CHUNK), SIMPLE_LIMIT)
        return await _complete(call, session)
    if kind == "multipart":
        return await _multipart(call, item)
    if kind == "resumable":
        return await _start(call, item)
    raise invalid("uploadType")


def _media_type(request: web.Request) -> str | None:
    return request.headers.get("Content-Type", "").partition(";")[0].strip() or None


def _session(call: Call, item: Item | None, metadata: dict[str, Any], media_type: str | None) -> Session:
    now = call.state.clock.now()
    item_id = item.id if item else None
    return call.service.sessions.start(call.email, now, metadata, call.params, item_id=item_id, content_type=media_type)


async def _take(service: Service, session: Session, chunks: AsyncIterator[bytes], limit: int | None = None) -> None:
    async for chunk in chunks:
        session.write(chunk)
        service.stats.bytes_in += len(chunk)
        if limit is not None and session.received > limit:
            service.sessions.end(session)
            raise _too_large()


async def _multipart(call: Call, item: Item | None) -> web.Response:
    body = await call.request.read()
    parts = split(call.request.headers.get("Content-Type", ""), body)
    if len(parts) != 2:
        raise bad_request("A multipart upload has two parts: metadata and content.")
    (_, metadata), (media_type, data) = parts
    if len(data) > SIMPLE_LIMIT:
        raise _too_large()
    session = _session(call, item, parse_object(metadata), media_type or None)
    session.write(data)
    call.service.stats.bytes_in += len(data)
    return await _complete(call, session)


def _too_large() -> ApiError:
    return ApiError(413, "uploadTooLarge", "Request is too large: use a resumable upload above 5 MB.")


async def _start(call: Call, item: Item | None) -> web.Response:
    metadata = await read_object(call.request)
    media_type = call.request.headers.get("X-Upload-Content-Type")
    if item is None:
        check_create(call, metadata, media_type)
    else:
        check_update(call, item, metadata)
    session = _session(call, item, metadata, media_type)
    location = f"{call.service.url}{call.request.path}?uploadType=resumable&upload_id={session.id}"
    return web.Response(headers={"Location": location, "X-GUploader-UploadID": session.id})


async def _finish(
    call: Call, item: Item | None, metadata: dict[str, Any], content: Content | None, media_type: str | None
) -> web.Response:
    if item is None:
        item = create_file(call, metadata, content, media_type)
    else:
        update_file(call, item, metadata, content, media_type)
    return await answer_file(call, item)


async def _complete(call: Call, session: Session) -> web.Response:
    content = session.content()
    call.service.sessions.end(session)
    # The item may have gone since the session began: then this is Drive's 404.
    item = call.item(session.item_id) if session.item_id else None
    return await _finish(call, item, session.metadata, content, session.content_type)


async def resume(service: Service, request: web.Request) -> web.Response:
    """A PUT to a session's address: a chunk, or a question how far it is.

    The session id is what authorises it, as with Drive.

    :raises ApiError: 404 for a session that is gone, 400 for a chunk out of place.
    """
    session = service.sessions.find(request.query.get("upload_id", ""), service.state.clock.now())
    if session is None:
        raise ApiError(404, "notFound", "The upload session is unknown or has expired: start a new one.")
    start, total = _place(request, session)
    if start is not None:
        before = session.received
        await _take(service, session, request.content.iter_chunked(CHUNK))
        length = session.received - before
        if session.received != total and length % CHUNK:
            raise bad_request("All chunks but the last must be multiples of 256 KiB.")
    if total is None or session.received < total:
        ranges = {"Range": f"bytes=0-{session.received - 1}"} if session.received else {}
        return web.Response(status=308, headers=ranges)
    method = methods()["drive.files.update" if session.item_id else "drive.files.create"]
    call = Call(service, request, method, session.params, session.email, method.id.removeprefix("drive."))
    return await _complete(call, session)


def _place(request: web.Request, session: Session) -> tuple[int | None, int | None]:
    """Where a chunk begins (None: it is a question) and how long the whole is, when that is known."""
    header = request.headers.get("Content-Range")
    if header is None:
        return session.received, request.content_length
    match = _CONTENT_RANGE.fullmatch(header)
    if match is None:
        raise bad_request("Failed to parse Content-Range header.")
    first, _, whole = match.groups()
    total = None if whole == "*" else int(whole)
    if first is not None and int(first) != session.received:
        raise bad_request("The chunk does not begin where the last one ended.")
    return (None if first is None else int(first)), total
