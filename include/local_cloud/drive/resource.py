"""The ``drive#file`` resource as one user sees it: one producer for each field, run only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.local_cloud.drive import fields
from include.local_cloud.drive.access import (
    RANK,
    WRITER,
    can_download,
    can_edit,
    can_list_children,
    can_share,
    role_of,
)
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.content import ALGORITHMS, Content
from include.local_cloud.drive.discovery import schema
from include.local_cloud.drive.formats import export_links
from include.local_cloud.drive.model import FOLDER, Item, Permission, Revision
from include.local_cloud.drive.state import DriveState
from include.local_cloud.drive.terms import Viewer

Producer = Callable[[Item, "View"], Any]
_CHECKSUMS = {f"{name}Checksum": name for name in ALGORITHMS}


@dataclass(frozen=True)
class View(Viewer):
    """Who looks, and the server's address, which links start with."""

    url: str = ""


def file_resource(item: Item, view: View, mask: fields.Mask) -> dict[str, Any]:
    """Build what the mask asks for; a field without a value is left out."""
    names = FILE_FIELDS if mask is None else mask
    found: dict[str, Any] = {}
    for name in names:
        producer = FILE_FIELDS.get(name)
        value = producer(item, view) if producer else item.fields.get(name)
        if value is not None:
            found[name] = value if mask is None else fields.apply(mask[name], value)
    return found


def checksums_asked(mask: fields.Mask) -> list[str]:
    """The algorithms that a mask needs."""
    return [name for field, name in _CHECKSUMS.items() if fields.asks(mask, field)]


def user_resource(state: DriveState, email: str, viewer: str) -> dict[str, Any]:
    """A ``drive#user``."""
    user = state.users.get(email)
    found: dict[str, Any] = {"kind": "drive#user", "displayName": user.name if user else email, "me": email == viewer}
    if user is not None:
        found["permissionId"] = user.permission_id
    return found | {"emailAddress": email}


def permission_resource(state: DriveState, permission: Permission, *, of_drive: Item | None = None) -> dict[str, Any]:
    """A ``drive#permission``.

    :param of_drive: the shared-drive item that it is shown on; it then says where it comes from.
    """
    user = state.users.get(permission.email or "")
    values: dict[str, Any] = {
        "kind": "drive#permission",
        "id": permission.id,
        "type": permission.type,
        "role": permission.role,
        "emailAddress": permission.email,
        "domain": permission.domain,
        "displayName": user.name if user else permission.email or permission.domain,
        "allowFileDiscovery": None if permission.email else permission.discovery,
        "deleted": False if permission.email else None,
        "pendingOwner": False if permission.email else None,
    }
    if of_drive is not None:
        inherited = permission not in of_drive.permissions
        is_root = of_drive.id == of_drive.drive_id
        detail = {
            "permissionType": "member" if inherited or is_root else "file",
            "role": permission.role,
            "inherited": inherited,
        }
        values["permissionDetails"] = [detail | ({"inheritedFrom": of_drive.drive_id} if inherited else {})]
    return {name: value for name, value in values.items() if value is not None}


def permissions_of(state: DriveState, item: Item) -> list[Permission]:
    """All that hold on an item: its owner's, its own, and those it inherits. Own ones win."""
    found: dict[str, Permission] = {}
    if item.owner is not None:
        user = state.users[item.owner]
        found[user.permission_id] = Permission(user.permission_id, "user", "owner", item.owner)
    for permission in item.permissions:
        found.setdefault(permission.id, permission)
    parents = item.parents or ([item.drive_id] if item.drive_id and item.drive_id != item.id else [])
    for parent in (state.items[p] for p in parents if p in state.items):
        for permission in parent.permissions if parent.limited else permissions_of(state, parent):
            role = "writer" if permission.role == "owner" else permission.role
            inherited = Permission(permission.id, permission.type, role, permission.email, permission.domain)
            found.setdefault(permission.id, inherited if role != permission.role else permission)
    return list(found.values())


def _shared_since(item: Item, view: View) -> str | None:
    since = view.shared_since(item)
    return None if since is None else to_text(since)


def _digest(item: Item, algorithm: str) -> str | None:
    content = _blob(item)
    return content.digest(algorithm) if content is not None and algorithm in item.checksums else None


def _blob(item: Item) -> Content | None:
    return None if item.native else item.content


def _head(item: Item, get: Callable[[Revision], Any]) -> Any:
    return get(item.revisions[-1]) if item.revisions and not item.native else None


def _original_name(item: Item, _view: View) -> str | None:
    name: str | None = _head(item, lambda revision: revision.name or item.name)
    return name


def _extension(item: Item, view: View) -> str | None:
    name = _original_name(item, view)
    return None if name is None else name.rpartition(".")[2] if "." in name else ""


def _quota(item: Item, _view: View) -> str:
    kept = sum(r.content.size for r in item.revisions[:-1] if r.keep)
    return str(kept + (item.content.size if item.content and not item.native else 0))


def _shortcut(item: Item, view: View) -> dict[str, str] | None:
    if item.target is None:
        return None
    target = view.state.items.get(item.target)
    key = target.resource_key if target else None
    details = {"targetId": item.target, "targetMimeType": item.target_mime, "targetResourceKey": key}
    return {name: value for name, value in details.items() if value}


def _permissions(item: Item, view: View) -> list[dict[str, Any]] | None:
    if item.drive_id is not None or not can_share(view.state, item, view.email):
        return None
    return [permission_resource(view.state, p) for p in permissions_of(view.state, item)]


def _permission_ids(item: Item, view: View) -> list[str] | None:
    if not can_share(view.state, item, view.email):
        return None
    return [p.id for p in permissions_of(view.state, item)]


def _links(item: Item, view: View) -> dict[str, str] | None:
    if not item.revisions or not can_download(view.state, item, view.email):
        return None
    return export_links(view.url, item.mime_type, item.id, key=item.resource_key)


_CAPABILITY_NAMES = tuple(schema("File")["properties"]["capabilities"]["properties"])


def _capabilities(item: Item, view: View) -> dict[str, bool]:
    state, email = view.state, view.email
    rank = RANK.get(role_of(state, item, email) or "", -1)
    edit, download = can_edit(state, item, email), can_download(state, item, email)
    removes = edit and rank >= RANK["owner" if item.drive_id is None else "fileOrganizer"]
    special = {
        "canDownload": download,
        "canCopy": download,
        "canListChildren": can_list_children(state, item, email),
        "canReadRevisions": rank >= WRITER and bool(item.revisions),
        "canShare": can_share(state, item, email),
        "canComment": rank >= RANK["commenter"],
        "canAddChildren": edit and item.mime_type == FOLDER,
        "canDelete": removes,
        "canTrash": removes,
        "canUntrash": removes,
        "canReadLabels": item.mime_type != FOLDER and item.labels_readable,
        "canReadDrive": item.drive_id is not None,
        "canAcceptOwnership": False,
    }
    return {name: special.get(name, edit and not name.endswith("Drive")) for name in _CAPABILITY_NAMES}


def _mine_only(get: Producer) -> Producer:
    """Fields that shared-drive items do not have."""
    return lambda item, view: None if item.drive_id is not None else get(item, view)


def _drive_only(get: Producer) -> Producer:
    """Fields that only shared-drive items have."""
    return lambda item, view: get(item, view) if item.drive_id is not None else None


def _owners(item: Item, view: View) -> list[dict[str, Any]] | None:
    return None if item.owner is None else [user_resource(view.state, item.owner, view.email)]


def _user(view: View, email: str | None) -> dict[str, Any] | None:
    return user_resource(view.state, email, view.email) if email else None


def _checksum(algorithm: str) -> Producer:
    return lambda item, _view: _digest(item, algorithm)


def _given(name: str) -> Producer:
    return lambda item, _view: item.fields.get(name)


_GIVEN = (
    "description",
    "properties",
    "appProperties",
    "imageMediaMetadata",
    "videoMediaMetadata",
    "contentRestrictions",
    "downloadRestrictions",
    "clientEncryptionDetails",
    "labelInfo",
)
FILE_FIELDS: dict[str, Producer] = {
    "kind": lambda _i, _v: "drive#file",
    "id": lambda i, _v: i.id,
    "name": lambda i, _v: i.name,
    "mimeType": lambda i, _v: i.mime_type,
    "parents": lambda i, v: v.visible_parents(i) or None,
    "spaces": lambda _i, _v: ["drive"],
    "driveId": lambda i, _v: i.drive_id,
    "teamDriveId": lambda i, _v: i.drive_id,
    "createdTime": lambda i, _v: to_text(i.created),
    "modifiedTime": lambda i, _v: to_text(i.modified),
    "viewedByMe": lambda i, v: v.email in i.viewed,
    "viewedByMeTime": lambda i, v: to_text(i.viewed[v.email]) if v.email in i.viewed else None,
    "modifiedByMe": lambda i, v: i.by == v.email,
    "modifiedByMeTime": lambda i, v: to_text(i.modified) if i.by == v.email else None,
    "sharedWithMeTime": _shared_since,
    "starred": lambda i, _v: i.starred,
    "version": lambda i, _v: str(i.version),
    "size": lambda i, _v: str(i.content.size) if i.content else None,
    "quotaBytesUsed": _quota,
    **{field: _checksum(name) for field, name in _CHECKSUMS.items()},
    "headRevisionId": lambda i, _v: _head(i, lambda r: r.id),
    "originalFilename": _original_name,
    "fullFileExtension": _extension,
    "fileExtension": _extension,
    "webContentLink": lambda i, v: f"{v.url}/uc?id={i.id}&export=download" if _blob(i) else None,
    "webViewLink": lambda i, v: f"{v.url}/file/d/{i.id}/view",
    "exportLinks": _links,
    "trashed": lambda i, _v: i.trashed,
    "explicitlyTrashed": lambda i, _v: i.explicitly_trashed,
    "trashedTime": _drive_only(lambda i, _v: to_text(i.trashed_at) if i.explicitly_trashed else None),
    "trashingUser": _drive_only(lambda i, v: _user(v, i.by) if i.explicitly_trashed else None),
    "owners": _mine_only(_owners),
    "ownedByMe": _mine_only(lambda i, v: i.owner == v.email),
    "permissions": _permissions,
    "permissionIds": _permission_ids,
    "hasAugmentedPermissions": _drive_only(lambda i, _v: i.id != i.drive_id and bool(i.permissions)),
    "inheritedPermissionsDisabled": lambda i, _v: i.limited,
    "shared": _mine_only(lambda i, v: len(permissions_of(v.state, i)) > 1),
    "writersCanShare": _mine_only(lambda i, _v: i.fields.get("writersCanShare", True)),
    "folderColorRgb": _mine_only(lambda i, _v: i.fields.get("folderColorRgb")),
    "copyRequiresWriterPermission": lambda i, _v: i.fields.get("copyRequiresWriterPermission", False),
    "viewersCanCopyContent": lambda i, _v: not i.fields.get("copyRequiresWriterPermission", False),
    "resourceKey": lambda i, _v: i.resource_key,
    "shortcutDetails": _shortcut,
    "linkShareMetadata": lambda i, _v: {
        "securityUpdateEligible": i.resource_key is not None,
        "securityUpdateEnabled": i.resource_key is not None,
    },
    "lastModifyingUser": lambda i, v: _user(v, i.by),
    "sharingUser": lambda i, v: _user(v, i.owner) if v.shared_since(i) is not None else None,
    "isAppAuthorized": lambda _i, _v: True,
    "hasThumbnail": lambda _i, _v: False,
    "thumbnailVersion": lambda _i, _v: "0",
    "capabilities": _capabilities,
    **{name: _given(name) for name in _GIVEN},
}
