"""``revisions.list``, ``get`` with its media, ``update`` of keepForever, ``delete``."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from include.local_cloud.drive import fields
from include.local_cloud.drive.access import RANK, WRITER, role_of
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.edits import purge
from include.local_cloud.drive.errors import ApiError, bad_request, forbidden, insufficient_permissions, invalid
from include.local_cloud.drive.exports import find_revision
from include.local_cloud.drive.files import check_abuse, check_download, not_downloadable
from include.local_cloud.drive.formats import export_links
from include.local_cloud.drive.listing import hash_contents
from include.local_cloud.drive.media import Delivery, deliver
from include.local_cloud.drive.model import FOLDER, SHORTCUT, Item, Revision
from include.local_cloud.drive.resource import user_resource

MAX_KEPT = 200


def _item(call: Call) -> Item:
    """The file, when the caller may read its history (writers and above) and it has one."""
    item = call.item()
    if item.mime_type in {FOLDER, SHORTCUT}:
        raise forbidden("revisionsNotSupported", "The file does not support revisions.")
    if RANK[role_of(call.state, item, call.email) or "reader"] < WRITER:
        raise insufficient_permissions()
    purge(call.state, item)
    return item


def _resource(call: Call, item: Item, revision: Revision) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "drive#revision",
        "id": revision.id,
        "mimeType": revision.mime_type,
        "modifiedTime": to_text(revision.modified),
        "lastModifyingUser": user_resource(call.state, revision.by, call.email),
    }
    if item.native:
        links = export_links(call.service.url, item.mime_type, item.id, key=item.resource_key, revision=revision.id)
        return found | {"published": False} | ({"exportLinks": links} if links else {})
    digest = revision.content.digest("md5")
    found |= {"keepForever": revision.keep, "size": str(revision.content.size), "originalFilename": revision.name}
    return found | ({"md5Checksum": digest} if digest else {})


@handles("drive.revisions.list")
async def list_revisions(call: Call) -> web.Response:
    """Oldest first."""
    item = _item(call)
    size = int(call.params.get("pageSize", 200))
    token = call.params.get("pageToken", "0")
    if not token.isdigit() or int(token) > len(item.revisions):
        raise invalid("pageToken")
    end = int(token) + size
    shown = item.revisions[int(token) : end]
    await _hash(call, item, shown, fields.inner(call.mask, "revisions"))
    data: dict[str, Any] = {
        "kind": "drive#revisionList",
        "revisions": [_resource(call, item, revision) for revision in shown],
    }
    if end < len(item.revisions):
        data["nextPageToken"] = str(end)
    return call.answer(data)


async def _hash(_call: Call, item: Item, revisions: list[Revision], mask: fields.Mask) -> None:
    if not item.native and fields.asks(mask, "md5Checksum"):
        await hash_contents([revision.content for revision in revisions], ["md5"])


def _revision(call: Call, item: Item) -> Revision:
    wanted = call.request.match_info["revisionId"]
    return item.revisions[-1] if wanted == "head" and item.revisions else find_revision(item, wanted)


@handles("drive.revisions.get")
async def get(call: Call) -> web.StreamResponse:
    """Metadata, or the bytes when they are kept forever."""
    item = _item(call)
    revision = _revision(call, item)
    if call.params.get("alt") == "media":
        return await _media(call, item, revision)
    await _hash(call, item, [revision], call.mask)
    return call.answer(_resource(call, item, revision))


async def _media(call: Call, item: Item, revision: Revision) -> web.StreamResponse:
    if item.native:
        raise not_downloadable()
    check_download(call.state, item, call.email)
    check_abuse(call, item)
    if not revision.keep:
        raise forbidden(
            "download_restricted_for_revision", "This revision cannot be downloaded by the authenticated user."
        )
    return await deliver(
        Delivery(
            call.service,
            call.request,
            call.route,
            item.id,
            call.email,
            revision.content,
            revision.mime_type,
            revision.name or item.name,
        )
    )


@handles("drive.revisions.update")
async def update(call: Call) -> web.Response:
    """KeepForever may be switched on, never off."""
    item = _item(call)
    revision = _revision(call, item)
    body = await read_object(call.request)
    if set(body) - {"keepForever"}:
        raise forbidden("fieldNotWritable", "The resource body includes fields which are not directly writable.")
    if item.native and "keepForever" in body:
        raise bad_request("keepForever is applicable to files with binary content only.")
    if revision.keep and body.get("keepForever") is False:
        raise ApiError(400, "illegalKeepForeverModification", "Illegal modification of keepForever.")
    if body.get("keepForever") and sum(r.keep for r in item.revisions) >= MAX_KEPT:
        raise ApiError(403, "revisionLimitExceeded", "No more than 200 revisions of a file can be kept forever.")
    with call.state.editing(item):
        revision.keep = revision.keep or bool(body.get("keepForever"))
    await _hash(call, item, [revision], call.mask)
    return call.answer(_resource(call, item, revision))


@handles("drive.revisions.delete")
async def delete(call: Call) -> web.Response:
    """Blobs only, and not the last one."""
    item = _item(call)
    revision = _revision(call, item)
    if item.native or len(item.revisions) == 1:
        raise bad_request("The revision cannot be deleted.")
    with call.state.editing(item):
        item.revisions.remove(revision)
    return web.Response(status=204)


async def read_object(request: web.Request) -> dict[str, Any]:
    """A JSON object from the request's body; an empty body is an empty object.

    :raises ApiError: 400 ``parseError``.
    """
    return parse_object(await request.read())


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object from bytes.

    :raises ApiError: 400 ``parseError``.
    """
    try:
        return msgspec.json.decode(data or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ApiError(400, "parseError", "Parse Error") from error
