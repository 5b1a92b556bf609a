"""``files.download``: a long-running operation that ends with a link."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from include.local_cloud.drive import formats
from include.local_cloud.drive.context import Call, Service, handles
from include.local_cloud.drive.errors import ApiError, file_not_found
from include.local_cloud.drive.exports import Export, find_revision
from include.local_cloud.drive.files import check_abuse, check_download, not_downloadable
from include.local_cloud.drive.media import Delivery, deliver
from include.local_cloud.drive.model import FOLDER, SHORTCUT, Item, Operation

KEPT_MS = 24 * 3600 * 1000
DOWNLOAD_PATH = "/download/drive/v3/operations/"
_TYPE = "type.googleapis.com/google.apps.drive.v3."
_REVISABLE = {formats.DOCUMENT, formats.SPREADSHEET}


@handles("drive.files.download")
async def download(call: Call) -> web.Response:
    """Start an operation."""
    item = call.item()
    if item.mime_type in {FOLDER, SHORTCUT} or not item.revisions:
        raise not_downloadable()
    check_download(call.state, item, call.email)
    check_abuse(call, item)
    revision = call.params.get("revisionId")
    if revision and item.native and item.mime_type not in _REVISABLE:
        raise _invalid_argument("revisionId is supported for blob files, Google Docs and Google Sheets only.")
    if revision:
        find_revision(item, revision)
    ready = call.state.clock.now() + call.service.faults.settings.operation_ms
    name = secrets.token_urlsafe(24)
    operation = Operation(name, item.id, call.email, _target(call, item), revision, ready)
    call.service.operations[name] = operation
    return call.answer(_resource(call.service, operation))


def _target(call: Call, item: Item) -> str | None:
    asked: str | None = call.params.get("mimeType")
    if not item.native:
        return None
    allowed = formats.EXPORT_FORMATS.get(item.mime_type, [])
    target = asked or formats.DEFAULT_EXPORT.get(item.mime_type)
    if target is None or (asked and asked not in allowed and asked != formats.DEFAULT_EXPORT.get(item.mime_type)):
        raise _invalid_argument(f"The file cannot be converted to {asked or 'any format'}.")
    return target


def _invalid_argument(message: str) -> ApiError:
    return ApiError(400, "invalidArgument", message)


@handles("drive.operations.get")
async def get(call: Call) -> web.Response:
    """Where an operation stands; it is kept for a day."""
    operation = call.service.operations.get(call.request.match_info["name"])
    now = call.state.clock.now()
    if operation is None or operation.email != call.email or now > operation.ready + KEPT_MS:
        raise ApiError(404, "notFound", "Operation not found.", location="name")
    return call.answer(_resource(call.service, operation))


def _resource(service: Service, operation: Operation) -> dict[str, Any]:
    item = service.state.items.get(operation.file_id)
    metadata = {"@type": _TYPE + "DownloadFileMetadata"}
    if item is not None and item.resource_key:
        metadata["resourceKey"] = item.resource_key
    if service.state.clock.now() < operation.ready:
        return {"name": operation.name, "done": False, "metadata": metadata}
    key = {"resourcekey": item.resource_key} if item is not None and item.resource_key else {}
    link = f"{service.url}{DOWNLOAD_PATH}{operation.name}" + (f"?{urlencode(key)}" if key else "")
    response = {
        "@type": _TYPE + "DownloadFileResponse",
        "downloadUri": link,
        "partialDownloadAllowed": operation.mime_type is None,
    }
    return {"name": operation.name, "done": True, "metadata": metadata, "response": response}


async def follow_download(service: Service, request: web.Request, email: str) -> web.StreamResponse:
    """The link that an operation ends with.

    :raises ApiError: 404 when it is not the caller's or the file is gone.
    """
    operation = service.operations.get(request.match_info["name"])
    item = service.state.items.get(operation.file_id) if operation else None
    if operation is None or item is None or operation.email != email:
        raise file_not_found(request.match_info["name"])
    revision = find_revision(item, operation.revision_id) if operation.revision_id else item.revisions[-1]
    if operation.mime_type is not None:
        job = Export(service, request, "download-uri", email, item, operation.mime_type, revision)
        return await job.send(await job.body())
    return await deliver(
        Delivery(service, request, "download-uri", item.id, email, revision.content, item.mime_type, item.name)
    )
