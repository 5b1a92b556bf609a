"""What ``files.create`` and ``files.update`` do with metadata and content."""

from __future__ import annotations

from typing import Any

from include.local_cloud.drive import edits
from include.local_cloud.drive.access import RANK, can_edit, role_of
from include.local_cloud.drive.clock import from_text
from include.local_cloud.drive.content import BytesContent, Content, NativeContent
from include.local_cloud.drive.context import Call
from include.local_cloud.drive.errors import ApiError, bad_request, forbidden, insufficient_permissions, invalid
from include.local_cloud.drive.formats import EXPORT_FORMATS, IMPORT_FORMATS
from include.local_cloud.drive.model import FOLDER, NATIVE, SHORTCUT, Item

# Kept just as given.
_PLAIN = {
    "description",
    "properties",
    "appProperties",
    "folderColorRgb",
    "copyRequiresWriterPermission",
    "writersCanShare",
    "contentRestrictions",
}
_BOTH = _PLAIN | {"name", "mimeType", "modifiedTime", "viewedByMeTime", "starred", "contentHints", "originalFilename"}
_CREATE = _BOTH | {"id", "parents", "createdTime", "shortcutDetails", "kind"}
_UPDATE = _BOTH | {"trashed", "inheritedPermissionsDisabled", "kind"}
MAX_PROPERTY_BYTES = 124


def create_file(call: Call, body: dict[str, Any], content: Content | None, media_type: str | None) -> Item:
    """Make an item of what was sent.

    :param content: None when no media came.
    :param media_type: the media's Content-Type.
    :raises ApiError: for what Drive refuses.
    """
    _check_fields(body, _CREATE)
    parent, mime_type = check_create(call, body, media_type)
    if mime_type == SHORTCUT and "targetId" not in body.get("shortcutDetails", {}):
        raise bad_request("A shortcut needs shortcutDetails.targetId.")
    if content is None and not mime_type.startswith(NATIVE):
        content = BytesContent(b"")
    item = edits.create(
        call.state,
        body.get("name", "Untitled"),
        parent,
        convert(content, mime_type, media_type),
        by=call.email,
        mime_type=mime_type,
        at=_time(body, "modifiedTime"),
        created=_time(body, "createdTime") or call.state.clock.now(),
        file_id=body.get("id"),
    )
    _apply(call, item, body)
    if mime_type == SHORTCUT:
        item.target = body["shortcutDetails"]["targetId"]
        target = call.state.items.get(item.target or "")
        item.target_mime = target.mime_type if target else None
    if item.revisions:
        item.revisions[-1].keep = bool(call.params.get("keepRevisionForever")) and not item.native
    return item


def check_create(call: Call, body: dict[str, Any], media_type: str | None) -> tuple[str, str]:
    """Everything that can refuse a new file before its bytes are sent.

    :return: the parent's id and the MIME type.
    """
    state = call.state
    parents = body.get("parents") or [state.users[call.email].root_id]
    if len(parents) > 1:
        raise forbidden("cannotAddParent", "A file can have one parent only.")
    parent = call.item(parents[0])
    if parent.mime_type != FOLDER:
        raise forbidden("parentNotAFolder", "The specified parent is not a folder.")
    if not can_edit(state, parent, call.email):
        raise insufficient_permissions()
    mime_type = body.get("mimeType") or media_type or edits.guess_type(body.get("name", ""))
    _check_id(call, body.get("id"), mime_type)
    bare_account = call.email == call.service.tokens.credentials.client_email
    if bare_account and parent.drive_id is None and mime_type not in {FOLDER, SHORTCUT}:
        raise forbidden("storageQuotaExceeded", "Service Accounts do not have storage quota.")
    return parent.id, mime_type


def _check_id(call: Call, ident: str | None, mime_type: str) -> None:
    if ident is None:
        return
    if ident in call.state.items:
        raise ApiError(409, "fileIdInUse", "A file already exists with the provided ID.", location="file.id")
    if call.state.reserved_ids.get(ident) != call.email:
        raise invalid("file.id", "The provided file ID is not usable.")
    if mime_type.startswith(NATIVE) and mime_type not in {FOLDER, SHORTCUT}:
        raise bad_request("Pre-generated IDs cannot be used for Docs Editors files.")


def update_file(call: Call, item: Item, body: dict[str, Any], content: Content | None, media_type: str | None) -> None:
    """Change an item.

    :raises ApiError: for what Drive refuses.
    """
    check_update(call, item, body)
    _move(call, item)
    if content is not None:
        at = _time(body, "modifiedTime")
        keep = bool(call.params.get("keepRevisionForever")) and not item.native
        new = convert(content, item.mime_type if item.native else body.get("mimeType", item.mime_type), media_type)
        if new is not None:
            edits.write(call.state, item, new, by=call.email, at=at, keep=keep)
    if "trashed" in body and bool(body["trashed"]) is not item.explicitly_trashed:
        edits.trash(call.state, item, by=call.email, trashed=bool(body["trashed"]))
    if set(body) - {"trashed", "kind"}:
        with call.state.editing(item):
            _apply(call, item, body)


def check_update(call: Call, item: Item, body: dict[str, Any]) -> None:
    """Everything that can refuse a change before its bytes are sent."""
    _check_fields(body, _UPDATE)
    if not can_edit(call.state, item, call.email) or call.state.is_root(item):
        raise insufficient_permissions()
    rank = RANK[role_of(call.state, item, call.email) or "reader"]
    if "trashed" in body and rank < RANK["owner" if item.drive_id is None else "fileOrganizer"]:
        raise insufficient_permissions()


def _check_fields(body: dict[str, Any], allowed: set[str]) -> None:
    if set(body) - allowed:
        raise forbidden("fieldNotWritable", "The resource body includes fields which are not directly writable.")
    for name in ("properties", "appProperties"):
        for key, value in (body.get(name) or {}).items():
            if len(f"{key}{value or ''}".encode()) > MAX_PROPERTY_BYTES:
                raise invalid(name, "A property's key and value may have 124 bytes together.")


def _time(body: dict[str, Any], name: str) -> int | None:
    if name not in body:
        return None
    try:
        return from_text(str(body[name]))
    except ValueError as error:
        raise invalid(f"file.{name}") from error


def _apply(call: Call, item: Item, body: dict[str, Any]) -> None:
    for name in _PLAIN & set(body):
        if name.lower().endswith("properties"):
            merged = {**item.fields.get(name, {}), **(body[name] or {})}
            item.fields[name] = {key: value for key, value in merged.items() if value is not None}
        else:
            item.fields[name] = body[name]
    if "name" in body and body["name"] != item.name:
        item.name = str(body["name"])
        item.modified, item.by = call.state.clock.now(), call.email
    if "mimeType" in body and not item.native:
        item.mime_type = body["mimeType"]
    item.modified = _time(body, "modifiedTime") or item.modified
    item.starred = bool(body.get("starred", item.starred))
    item.limited = bool(body.get("inheritedPermissionsDisabled", item.limited))
    viewed = _time(body, "viewedByMeTime")
    if viewed is not None:
        item.viewed[call.email] = viewed


def _move(call: Call, item: Item) -> None:
    added = [entry for entry in (call.params.get("addParents") or "").split(",") if entry]
    removed = {entry for entry in (call.params.get("removeParents") or "").split(",") if entry}
    if not added and not removed:
        return
    root = call.state.users[call.email].root_id
    parents = [call.item(ident) for ident in added]
    if any(parent.mime_type != FOLDER or not can_edit(call.state, parent, call.email) for parent in parents):
        raise insufficient_permissions()
    if any(parent is item or item in _ancestors(call, parent) for parent in parents):
        raise forbidden("cannotAddParent", "A folder cannot be moved into itself.")
    kept = [p for p in item.parents if p not in {root if entry == "root" else entry for entry in removed}]
    together = list(dict.fromkeys([*kept, *(parent.id for parent in parents)]))
    if len(together) > 1:
        raise forbidden("cannotAddParent", "A file can have one parent only: name the old one in removeParents.")
    edits.move(call.state, item, together, by=call.email)


def _ancestors(call: Call, item: Item) -> list[Item]:
    found = [call.state.items[parent] for parent in item.parents if parent in call.state.items]
    return found + [above for parent in found for above in _ancestors(call, parent)]


def convert(content: Content | None, mime_type: str, media_type: str | None) -> Content | None:
    """What is stored: the bytes, or for a native target a document made of them.

    :raises ApiError: 400 when the media cannot become this type.
    """
    if not mime_type.startswith(NATIVE):
        return content
    if mime_type not in EXPORT_FORMATS:
        return None
    if content is None:
        return NativeContent("")
    if mime_type not in IMPORT_FORMATS.get(media_type or "", []):
        raise bad_request("The requested conversion is not supported.")
    pieces = b"".join(bytes(content.read(low, high)) for low, high in content.pieces(0, content.size))
    text = pieces.decode("utf-8", "replace") if (media_type or "").startswith("text/") else f"Imported {media_type}"
    if media_type == "text/csv":
        text = text.replace(",", "\t")
    return NativeContent(text)
