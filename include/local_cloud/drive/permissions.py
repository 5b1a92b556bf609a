"""``permissions.list``, ``get``, ``create``, ``delete``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from include.local_cloud.drive.access import RANK, ROLES, can_share
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.edits import share, unshare
from include.local_cloud.drive.errors import ApiError, file_not_found, insufficient_permissions, invalid
from include.local_cloud.drive.model import Item, Permission
from include.local_cloud.drive.resource import permission_resource, permissions_of
from include.local_cloud.drive.revisions import read_object

_WRITABLE = {"type", "role", "emailAddress", "domain", "allowFileDiscovery", "expirationTime", "view", "kind"}


def _item(call: Call) -> Item:
    """The file, when its permissions are the caller's to see; an administrator sees those of drives' roots."""
    ident = call.request.match_info["fileId"]
    user = call.state.users[call.email]
    if call.params.get("useDomainAdminAccess") and user.admin and ident in call.state.drives:
        return call.state.items[ident]
    item = call.item()
    if not can_share(call.state, item, call.email) and item.drive_id is None:
        raise ApiError(
            403, "insufficientFilePermissions", "The user does not have sufficient permissions for this file."
        )
    return item


def _resource(call: Call, item: Item, permission: Permission) -> dict[str, Any]:
    return permission_resource(call.state, permission, of_drive=item if item.drive_id else None)


@handles("drive.permissions.list")
async def list_permissions(call: Call) -> web.Response:
    """All of a My Drive file at once, at most 100 of a shared-drive one."""
    item = _item(call)
    found = permissions_of(call.state, item)
    size = int(call.params.get("pageSize", 100 if item.drive_id else len(found) or 1))
    token = call.params.get("pageToken", "0")
    if not token.isdigit() or int(token) > len(found):
        raise invalid("pageToken")
    end = int(token) + size
    data: dict[str, Any] = {
        "kind": "drive#permissionList",
        "permissions": [_resource(call, item, permission) for permission in found[int(token) : end]],
    }
    if end < len(found):
        data["nextPageToken"] = str(end)
    return call.answer(data)


def _find(call: Call, item: Item) -> Permission:
    wanted = call.request.match_info["permissionId"]
    for permission in permissions_of(call.state, item):
        if permission.id == wanted:
            return permission
    error = file_not_found(item.id)
    error.message, error.location = f"Permission not found: {wanted}.", "permissionId"
    raise error


@handles("drive.permissions.get")
async def get(call: Call) -> web.Response:
    """One of them."""
    item = _item(call)
    return call.answer(_resource(call, item, _find(call, item)))


@handles("drive.permissions.create")
async def create(call: Call) -> web.Response:
    """Share."""
    item = _item(call)
    if call.state.read_only or not can_share(call.state, item, call.email):
        raise insufficient_permissions()
    body = await read_object(call.request)
    permission = _read(call, body)
    share(call.state, item, permission)
    return call.answer(_resource(call, item, permission))


def _read(call: Call, body: dict[str, Any]) -> Permission:
    kind, role = body.get("type"), body.get("role")
    if set(body) - _WRITABLE:
        raise ApiError(403, "fieldNotWritable", "The resource body includes fields which are not directly writable.")
    if kind not in {"user", "group", "domain", "anyone"}:
        raise ApiError(400, "required" if kind is None else "invalid", "The permission type field is required.")
    if role not in ROLES or RANK[role] == RANK["owner"]:
        raise invalid("permission.role", "The specified role is invalid or not supported by the local Drive.")
    if kind in {"user", "group"} and "@" not in str(body.get("emailAddress", "")):
        raise ApiError(400, "invalidSharingRequest", "Bad Request. User message: 'An e-mail address is required.'")
    if kind in {"user", "group"}:
        permission = call.state.user_permission(str(body["emailAddress"]).lower(), role)
        permission.type = kind
        return permission
    discovery = bool(body.get("allowFileDiscovery"))
    ident = "anyoneWithLink" if kind == "anyone" and not discovery else f"{kind}{body.get('domain', '')}"
    return Permission(ident, kind, role, domain=body.get("domain"), discovery=discovery, since=call.state.clock.now())


@handles("drive.permissions.delete")
async def delete(call: Call) -> web.Response:
    """Take a share back; an inherited one only where it was granted."""
    item = _item(call)
    permission = _find(call, item)
    if call.state.read_only or not can_share(call.state, item, call.email):
        raise insufficient_permissions()
    if permission.id not in {own.id for own in item.permissions}:
        raise ApiError(403, "cannotModifyInheritedPermission", "Cannot modify a permission that is inherited.")
    unshare(call.state, item, permission)
    return web.Response(status=204)
