"""``changes.getStartPageToken`` and ``changes.list``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.local_cloud.drive import fields
from include.local_cloud.drive.access import role_of
from include.local_cloud.drive.changelog import ChangeLog, Entry
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.drives import drive_resource
from include.local_cloud.drive.errors import drive_not_found, invalid
from include.local_cloud.drive.listing import hash_contents, page_size, require_member
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.resource import View, checksums_asked, file_resource

Found = list[tuple[str, Entry]]


def _log(call: Call) -> ChangeLog:
    drive_id = call.params.get("driveId") or call.params.get("teamDriveId")
    if drive_id is None:
        return call.state.logs[call.email]
    if not call.all_drives:
        raise drive_not_found(drive_id)
    require_member(call.state, drive_id, call.email)
    return call.state.logs[drive_id]


@handles("drive.changes.getStartPageToken")
async def start_page_token(call: Call) -> web.Response:
    """The end of the log."""
    log = _log(call)
    await _refresh(call)
    return call.answer({"kind": "drive#startPageToken", "startPageToken": log.token()})


@handles("drive.changes.list")
async def list_changes(call: Call) -> web.Response:
    """One page. Tokens are positions: they never expire."""
    log = _log(call)
    await _refresh(call)
    position = log.position(call.params.get("pageToken", ""))
    if position is None:
        raise invalid("pageToken")
    mask = fields.inner(call.mask, "changes")
    file_mask = fields.inner(mask, "file")
    cap = call.service.faults.settings.page_cap
    size = page_size(file_mask, int(call.params.get("pageSize", 100)), cap)
    entries = log.since(position)
    page, rest = entries[:size], entries[size:]
    view = View(call.state, call.email, call.service.url)
    shown = [(ident, entry) for ident, entry in page if _wanted(call, ident, entry)]
    await _hash(call, shown, file_mask)
    data: dict[str, Any] = {
        "kind": "drive#changeList",
        "changes": [_change(call, ident, entry, view, file_mask) for ident, entry in shown],
    }
    if rest:
        data["nextPageToken"] = log.token(rest[0][1].position)
    else:
        data["newStartPageToken"] = log.token()
    return call.answer(data)


async def _refresh(call: Call) -> None:
    if call.state.refresh is not None:
        await call.state.refresh()


async def _hash(call: Call, shown: Found, mask: fields.Mask) -> None:
    items = (call.state.items.get(ident) for ident, entry in shown if not entry.removed)
    contents = [item.content for item in items if item is not None and item.content and not item.native]
    await hash_contents(contents, checksums_asked(mask))


def _wanted(call: Call, ident: str, entry: Entry) -> bool:
    params, item = call.params, call.state.items.get(ident)
    if entry.removed:
        return bool(params.get("includeRemoved", True))
    in_drive = item is not None and item.drive_id is not None
    if in_drive and not entry.drive and not (call.all_drives and params.get("includeItemsFromAllDrives")):
        return False
    if params.get("restrictToMyDrive"):
        return item is not None and _in_my_drive(call, item)
    return True


def _in_my_drive(call: Call, item: Item) -> bool:
    root = call.state.users[call.email].root_id
    if item.id == root or item.owner == call.email:
        return True
    return any(parent in call.state.items and _in_my_drive(call, call.state.items[parent]) for parent in item.parents)


def _change(call: Call, ident: str, entry: Entry, view: View, mask: fields.Mask) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "drive#change",
        "changeType": "drive" if entry.drive else "file",
        "type": "drive" if entry.drive else "file",
        "time": to_text(entry.time),
        "removed": entry.removed,
    }
    if entry.drive:
        found["driveId"] = ident
        if not entry.removed and ident in call.state.drives:
            found["drive"] = drive_resource(call.state, call.state.drives[ident], call.email)
        return found
    found["fileId"] = ident
    item = call.state.items.get(ident)
    readable = item is not None and role_of(call.state, item, call.email) is not None
    if item is not None and readable and (not entry.removed or call.params.get("includeCorpusRemovals")):
        found["file"] = file_resource(item, view, mask)
    elif not entry.removed:
        found["removed"] = True
    return found
