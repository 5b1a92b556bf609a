"""``drives.list`` and ``drives.get``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.local_cloud.drive.access import RANK, WRITER, role_of
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.discovery import schema
from include.local_cloud.drive.errors import drive_not_found, forbidden, invalid
from include.local_cloud.drive.model import SharedDrive
from include.local_cloud.drive.pages import Cursor, fingerprint
from include.local_cloud.drive.state import DriveState

_CAPABILITIES = tuple(schema("Drive")["properties"]["capabilities"]["properties"])
_READER = {"canCopy", "canDownload", "canListChildren"}
_WRITER = {"canAddChildren", "canComment", "canEdit", "canReadRevisions", "canRename", "canShare"}


def drive_resource(state: DriveState, drive: SharedDrive, email: str) -> dict[str, Any]:
    """A ``drive#drive`` as one user sees it."""
    rank = RANK.get(role_of(state, state.items[drive.id], email) or "", -1)

    def allowed(name: str) -> bool:
        needed = 0 if name in _READER else WRITER if name in _WRITER else RANK["organizer"]
        return rank >= needed

    return {
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "createdTime": to_text(drive.created),
        "hidden": drive.hidden,
        "colorRgb": "#5f6368",
        "restrictions": {
            "adminManagedRestrictions": False,
            "copyRequiresWriterPermission": False,
            "domainUsersOnly": False,
            "driveMembersOnly": False,
            "sharingFoldersRequiresOrganizerPermission": False,
        },
        "capabilities": {name: allowed(name) for name in _CAPABILITIES},
    }


def _check_admin(call: Call) -> bool:
    """Whether the call is made as the domain's administrator, who sees all drives but no file in them."""
    if not call.params.get("useDomainAdminAccess"):
        return False
    if not call.state.users[call.email].admin:
        raise forbidden("insufficientPermissions", "The user does not have the Drive administrator privilege.")
    return True


@handles("drive.drives.list")
async def list_drives(call: Call) -> web.Response:
    """Ten on a page unless told otherwise."""
    state, pages, now = call.state, call.service.pages, call.state.clock.now()
    as_admin = _check_admin(call)
    if call.params.get("q") and not as_admin:
        raise invalid("q", "Queries over shared drives need useDomainAdminAccess in the local Drive.")
    bound = fingerprint(call.email, call.method.id, call.params)
    token = call.params.get("pageToken")
    if token:
        cursor = pages.find(token, bound, now, call.service.faults.settings.page_token_ms)
    else:
        ids = [i for i in state.drives if as_admin or role_of(state, state.items[i], call.email) is not None]
        cursor = Cursor(bound, ids, 0, now, 1)
    end = cursor.position + int(call.params.get("pageSize", 10))
    shown = [state.drives[i] for i in cursor.ids[cursor.position : end] if i in state.drives]
    data: dict[str, Any] = {
        "kind": "drive#driveList",
        "drives": [drive_resource(state, drive, call.email) for drive in shown],
    }
    if end < len(cursor.ids):
        data["nextPageToken"] = pages.save(Cursor(bound, cursor.ids, end, cursor.time, cursor.page + 1))
    return call.answer(data)


@handles("drive.drives.get")
async def get(call: Call) -> web.Response:
    """One that the user is a member of."""
    drive = call.state.drives.get(call.request.match_info["driveId"])
    if drive is None:
        raise drive_not_found(call.request.match_info["driveId"])
    if not _check_admin(call) and role_of(call.state, call.state.items[drive.id], call.email) is None:
        raise drive_not_found(drive.id)
    return call.answer(drive_resource(call.state, drive, call.email))
