"""``about.get``, and the Directory API's ``users.list``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.errors import ApiError, forbidden, invalid
from include.local_cloud.drive.formats import EXPORT_FORMATS, IMPORT_FORMATS
from include.local_cloud.drive.model import User
from include.local_cloud.drive.pages import Cursor, fingerprint
from include.local_cloud.drive.resource import user_resource
from include.local_cloud.drive.state import DriveState


@handles("drive.about.get")
async def about(call: Call) -> web.Response:
    """The user and the system; ``fields`` is mandatory."""
    if not call.params.get("fields"):
        raise ApiError(400, "required", "The 'fields' parameter is required for this method.", location="fields")
    usage, trash = _usage(call.state, call.email)
    return call.answer(
        {
            "kind": "drive#about",
            "user": user_resource(call.state, call.email, call.email),
            "storageQuota": {"usage": str(usage), "usageInDrive": str(usage), "usageInDriveTrash": str(trash)},
            "importFormats": IMPORT_FORMATS,
            "exportFormats": EXPORT_FORMATS,
            "maxUploadSize": str(5_497_558_138_880),
            "maxImportSizes": {kind: str(10_485_760) for kind in EXPORT_FORMATS},
            "appInstalled": False,
            "canCreateDrives": True,
            "folderColorPalette": ["#ac725e", "#d06b64", "#f83a22"],
            "driveThemes": [],
        }
    )


def _usage(state: DriveState, email: str) -> tuple[int, int]:
    owned = [state.items[ident] for ident in state.owned.get(email, ())]
    sizes = [(item.content.size, item.trashed) for item in owned if item.content and not item.native]
    return sum(size for size, _ in sizes), sum(size for size, trashed in sizes if trashed)


@handles("directory.users.list")
async def list_users(call: Call) -> web.Response:
    """All users of the domain, for an administrator."""
    state = call.state
    if not state.users[call.email].admin:
        raise forbidden("forbidden", "Not Authorized to access this resource/api")
    if not (call.params.get("customer") or call.params.get("domain")):
        raise ApiError(400, "badRequest", "Bad Request", location="customer")
    domain = call.params.get("domain")
    if domain and not any(email.endswith(f"@{domain}") for email in state.users):
        raise ApiError(404, "notFound", "Domain not found.")
    gone = _deleted(call) if str(call.params.get("showDeleted", "")).lower() == "true" else None
    emails = sorted(email for email in state.users if _matches(call, email)) if gone is None else sorted(gone)
    bound, now = fingerprint(call.email, call.method.id, call.params), state.clock.now()
    token = call.params.get("pageToken")
    pages = call.service.pages
    # Directory tokens are good for three days.
    cursor = pages.find(token, bound, now, 3 * 86_400_000) if token else Cursor(bound, emails, 0, now, 1)
    end = cursor.position + int(call.params.get("maxResults", 100))
    data: dict[str, Any] = {
        "kind": "admin#directory#users",
        "users": [
            _user(found)
            for email in cursor.ids[cursor.position : end]
            if (found := (state.users if gone is None else gone).get(email)) is not None
        ],
    }
    if end < len(cursor.ids):
        data["nextPageToken"] = pages.save(Cursor(bound, cursor.ids, end, cursor.time, cursor.page + 1))
    return call.answer(data)


def _deleted(call: Call) -> dict[str, User]:
    """The accounts that were deleted in the last 20 days; Google takes no notice of a query here."""
    domain, since = call.params.get("domain"), call.state.clock.now() - 20 * 86_400_000
    return {
        user.email: user
        for user, when in call.state.deleted_users
        if when >= since and (not domain or user.email.rpartition("@")[2] == domain)
    }


def _matches(call: Call, email: str) -> bool:
    if email.endswith(".iam.gserviceaccount.com"):
        return False
    domain, query = call.params.get("domain"), call.params.get("query", "")
    if domain and email.rpartition("@")[2] != domain:
        return False
    if query not in {"", "isSuspended=false", "isSuspended=true"}:
        raise invalid("query", "Invalid Input: query")
    return not query or call.state.users[email].suspended is (query == "isSuspended=true")


def _user(user: User) -> dict[str, Any]:
    given, _, family = user.name.partition(" ")
    return {
        "kind": "admin#directory#user",
        "id": user.directory_id,
        "primaryEmail": user.email,
        "name": {"givenName": given, "familyName": family, "fullName": user.name},
        "isAdmin": user.admin,
        "suspended": user.suspended,
        "archived": False,
        "isMailboxSetup": True,
        "orgUnitPath": user.org_unit,
    }
