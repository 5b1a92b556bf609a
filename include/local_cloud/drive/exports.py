"""Exports of natives: ``files.export`` with its limit, and the links on ``exportLinks`` without one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from include.local_cloud.drive import formats
from include.local_cloud.drive.access import readable
from include.local_cloud.drive.content import BytesContent, NativeContent
from include.local_cloud.drive.context import KEY_HEADER, Call, Service, handles, parse_keys
from include.local_cloud.drive.documents import render
from include.local_cloud.drive.errors import bad_request, file_not_found, forbidden, invalid
from include.local_cloud.drive.files import check_download
from include.local_cloud.drive.media import Delivery, deliver
from include.local_cloud.drive.model import Item, Revision

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in - Google Accounts</title></head>"
    b'<body><form action="/signin">Sign in to continue to Google Drive</form></body></html>'
)


@dataclass(frozen=True)
class Export:
    """What is exported, for whom, how."""

    service: Service
    request: web.Request
    route: str
    email: str
    item: Item
    target: str
    revision: Revision | None = None

    async def body(self) -> BytesContent:
        """Make the document."""
        revision = self.revision or self.item.revisions[-1]
        if not isinstance(revision.content, NativeContent):
            raise forbidden("fileNotExportable", "Export only supports Docs Editors files.")
        source, moment = revision.content, self.service.state.clock.now()
        data = await asyncio.to_thread(render, self.target, self.item.name, source.text, moment, source.padding)
        return BytesContent(data)

    async def send(self, content: BytesContent) -> web.StreamResponse:
        """Send it, without a length, as Drive does."""
        extension = formats.EXTENSIONS[self.target]
        return await deliver(
            Delivery(
                service=self.service,
                request=self.request,
                route=self.route,
                file_id=self.item.id,
                email=self.email,
                content=content,
                content_type=self.target,
                name=f"{self.item.name}.{extension}",
                sized=False,
            )
        )


@handles("drive.files.export")
async def export(call: Call) -> web.StreamResponse:
    """At most 10 MB."""
    item = call.item()
    if item.mime_type not in formats.EXPORT_FORMATS or not item.revisions:
        raise forbidden("fileNotExportable", "Export only supports Docs Editors files.")
    target = call.params.get("mimeType", "")
    if target not in formats.EXPORT_FORMATS[item.mime_type]:
        raise bad_request("The requested conversion is not supported.")
    check_download(call.state, item, call.email, reason="cannotExportFile")
    job = Export(call.service, call.request, call.route, call.email, item, target)
    content = await job.body()
    if content.size > call.service.faults.settings.export_limit:
        raise forbidden("exportSizeLimitExceeded", "This file is too large to be exported.")
    return await job.send(content)


def find_revision(item: Item, revision_id: str) -> Revision:
    """A revision by id.

    :raises ApiError: 404.
    """
    for revision in item.revisions:
        if revision.id == revision_id:
            return revision
    raise file_not_found(item.id) if not item.revisions else _no_revision(revision_id)


def _no_revision(revision_id: str) -> Exception:
    error = file_not_found(revision_id)
    error.message, error.location = f"Revision not found: {revision_id}.", "revisionId"
    return error


async def follow_link(service: Service, request: web.Request, email: str) -> web.StreamResponse:
    """One of the routes that ``exportLinks`` point to.

    :raises ApiError: 404 when the caller cannot have the file, 400 for a format that it has not.
    """
    query = request.query
    keys = parse_keys(request.headers.get(KEY_HEADER, ""))
    if "resourcekey" in query:
        keys[query.get("id", "")] = query["resourcekey"]
    item = readable(service.state, query.get("id", ""), email, keys)
    path, parameter = formats.EXPORT_PATHS.get(item.mime_type, ("", ""))
    target = formats.target_of(item.mime_type, query.get(parameter, ""))
    if request.path != path or target is None:
        raise invalid(parameter or "id")
    revision = find_revision(item, query["revision"]) if "revision" in query else None
    check_download(service.state, item, email, reason="cannotExportFile")
    settings = service.faults.settings
    if settings.login_page:
        return web.Response(body=LOGIN_PAGE, content_type="text/html", charset="utf-8")
    if settings.export_redirect and "redirected" not in query:
        raise web.HTTPFound(request.rel_url.update_query({"redirected": "1"}))
    job = Export(service, request, "export-link", email, item, target, revision)
    return await job.send(await job.body())
