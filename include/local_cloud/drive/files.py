"""``files.get`` with its media, ``files.delete``, ``files.generateIds``."""

from __future__ import annotations

from aiohttp import web

from include.local_cloud.drive.access import RANK, can_download, role_of
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.errors import ApiError, forbidden, insufficient_permissions, invalid
from include.local_cloud.drive.listing import hash_contents
from include.local_cloud.drive.media import Delivery, deliver
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.resource import View, checksums_asked, file_resource
from include.local_cloud.drive.state import DriveState


@handles("drive.files.get")
async def get(call: Call) -> web.StreamResponse:
    """Metadata, or the bytes with ``alt=media``."""
    item = call.item()
    if call.state.check is not None:
        await call.state.check(item)
        item = call.item()
    if call.params.get("alt") == "media":
        return await _media(call, item)
    return await answer_file(call, item)


async def answer_file(call: Call, item: Item) -> web.Response:
    """The item through the mask."""
    mask = call.mask
    if item.content is not None and not item.native:
        await hash_contents([item.content], checksums_asked(mask))
    return call.answer(file_resource(item, View(call.state, call.email, call.service.url), mask), masked=True)


async def _media(call: Call, item: Item) -> web.StreamResponse:
    if item.native or item.content is None:
        raise not_downloadable()
    check_download(call.state, item, call.email)
    check_abuse(call, item)
    return await deliver(
        Delivery(
            service=call.service,
            request=call.request,
            route=call.route,
            file_id=item.id,
            email=call.email,
            content=item.content,
            content_type=item.mime_type,
            name=item.name,
        )
    )


def not_downloadable() -> ApiError:
    """Folders, shortcuts and natives have no bytes."""
    return ApiError(
        403,
        "fileNotDownloadable",
        "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
        location="alt",
    )


def check_download(state: DriveState, item: Item, email: str, *, reason: str = "cannotDownloadFile") -> None:
    """Check the download right.

    :raises ApiError: 403.
    """
    if not can_download(state, item, email):
        raise forbidden(reason, "This file cannot be downloaded by the user.")


def check_abuse(call: Call, item: Item) -> None:
    """Only the owner, or a shared drive's organizer, may take a flagged file, and only knowingly.

    :raises ApiError: 403 ``cannotDownloadAbusiveFile``, or ``invalidAbuseAcknowledgment`` when nothing is flagged.
    """
    acknowledged = bool(call.params.get("acknowledgeAbuse"))
    if acknowledged and not item.abusive:
        raise forbidden(
            "invalidAbuseAcknowledgment", "The user may only acknowledge abuse of files flagged as abusive."
        )
    rank = RANK[role_of(call.state, item, call.email) or "reader"]
    responsible = rank >= RANK["owner" if item.drive_id is None else "organizer"]
    if item.abusive and not (acknowledged and responsible):
        raise forbidden(
            "cannotDownloadAbusiveFile", "This file has been identified as malware or spam and cannot be downloaded."
        )


@handles("drive.files.delete")
async def delete(call: Call) -> web.Response:
    """For good, without the trash."""
    item = call.item()
    rank = RANK[role_of(call.state, item, call.email) or "reader"]
    needed = RANK["owner" if item.drive_id is None else "organizer"]
    if call.state.read_only or call.state.is_root(item) or rank < needed:
        raise insufficient_permissions()
    call.state.remove(item)
    return web.Response(status=204)


@handles("drive.files.generateIds")
async def generate_ids(call: Call) -> web.Response:
    """Ids that ``files.create`` takes later."""
    count = int(call.params.get("count", 10))
    if call.params.get("type", "files") not in {"files", "shortcuts"}:
        raise invalid("type")
    ids = [call.state.new_id() for _ in range(count)]
    call.state.reserved_ids.update(dict.fromkeys(ids, call.email))
    return call.answer({"kind": "drive#generatedIds", "space": call.params.get("space", "drive"), "ids": ids})
