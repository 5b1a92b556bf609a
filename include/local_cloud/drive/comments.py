"""Reading what is kept beside a file: comments with their replies, and labels."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.local_cloud.drive.access import RANK, role_of
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.errors import file_not_found, insufficient_permissions, invalid, invalid_parameter
from include.local_cloud.drive.model import FOLDER, SHORTCUT, Item


def _commented(call: Call) -> Item:
    """The file, for those who may comment on it. ``fields`` has no default here (discovery text of the methods)."""
    item = call.item()
    if "fields" not in call.params:
        raise invalid_parameter("fields", "The 'fields' parameter is required for this method.")
    if RANK[role_of(call.state, item, call.email) or "reader"] < RANK["commenter"]:
        raise insufficient_permissions()
    return item


def _page(call: Call, found: list[dict[str, Any]], size_name: str, default: int) -> tuple[list[dict[str, Any]], str]:
    size, token = int(call.params.get(size_name, default)), call.params.get("pageToken", "0")
    if not token.isdigit() or int(token) > len(found):
        raise invalid("pageToken")
    end = int(token) + size
    return found[int(token) : end], str(end) if end < len(found) else ""


def _answer(call: Call, key: str, kind: str, shown: list[dict[str, Any]], token: str) -> web.Response:
    return call.answer({"kind": kind, key: shown} | ({"nextPageToken": token} if token else {}))


@handles("drive.comments.list")
async def list_comments(call: Call) -> web.Response:
    """Each with all its replies; the content of deleted ones is gone."""
    item = _commented(call)
    wanted = [each for each in item.comments if call.params.get("includeDeleted") or not each.get("deleted")]
    return _answer(call, "comments", "drive#commentList", *_page(call, wanted, "pageSize", 20))


def _find(call: Call) -> dict[str, Any]:
    wanted = call.request.match_info["commentId"]
    for comment in _commented(call).comments:
        if comment["id"] == wanted:
            return comment
    error = file_not_found(wanted)
    error.message, error.location = f"Comment not found: {wanted}.", "commentId"
    raise error


@handles("drive.comments.get")
async def get_comment(call: Call) -> web.Response:
    """One of them."""
    return call.answer(_find(call))


@handles("drive.replies.list")
async def list_replies(call: Call) -> web.Response:
    """Of one comment."""
    found = _find(call).get("replies", [])
    return _answer(call, "replies", "drive#replyList", *_page(call, found, "pageSize", 20))


@handles("drive.files.listLabels")
async def list_labels(call: Call) -> web.Response:
    """The labels on a file; folders and shortcuts have none."""
    item = call.item()
    if item.mime_type in {FOLDER, SHORTCUT} or not item.labels_readable:
        raise insufficient_permissions()
    return _answer(call, "labels", "drive#labelList", *_page(call, item.labels, "maxResults", 100))
