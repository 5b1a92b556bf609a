"""Edits from outside the API: what people do in the browser, at any time, natives included."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Literal

import msgspec

from include.local_cloud.drive import edits
from include.local_cloud.drive.clock import from_text
from include.local_cloud.drive.content import BytesContent, Content, NativeContent, SeededContent
from include.local_cloud.drive.model import FOLDER, NATIVE, SHORTCUT, Item
from include.local_cloud.drive.state import DriveState

Action = Literal[
    "create", "modify", "rename", "move", "trash", "untrash", "delete", "share", "unshare", "flags", "touch"
]


class Flags(msgspec.Struct, forbid_unknown_fields=True):
    """Switches of one item; None leaves one as it is.

    :ivar limited: a limited-access folder: what is inside is only for those with a grant on the folder itself.
    :ivar checksums: which of md5, sha1, sha256 Drive knows.
    """

    abusive: bool | None = None
    downloadable: bool | None = None
    limited: bool | None = None
    resource_key: str | None = None
    key_required: bool | None = None
    checksums: tuple[str, ...] | None = None


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    """One edit.

    :ivar at: RFC 3339; becomes modifiedTime and the change log's time. Now by default.
    :ivar by: e-mail address of who does it.
    :ivar text: the new content as text; for natives their text.
    :ivar data: the new content in base64.
    :ivar size: the new content is so many bytes made of ``seed``.
    :ivar padding: makes a native's exports so many bytes larger.
    """

    action: Action
    by: str = "ann@example.com"
    at: str | None = None
    file: str | None = None
    name: str | None = None
    parent: str | None = None
    mime_type: str | None = None
    text: str | None = None
    data: str | None = None
    size: int | None = None
    seed: str = "edit"
    padding: int = 0
    target: str | None = None
    email: str | None = None
    role: str = "reader"
    keep: bool = False
    flags: Flags | None = None


def apply(state: DriveState, edit: Edit) -> Item | None:
    """Do it.

    :return: the item, or None when it is gone.
    :raises KeyError: when the item or folder does not exist.
    :raises ValueError: when the edit makes no sense.
    """
    at = from_text(edit.at) if edit.at else None
    if edit.action == "create":
        return _create(state, edit, at)
    item = state.items[edit.file or ""]
    _ACTIONS[edit.action](state, item, edit, at)
    return state.items.get(item.id)


def _content(edit: Edit, mime_type: str) -> Content | None:
    if mime_type.startswith(NATIVE):
        return NativeContent(edit.text or "", edit.padding) if mime_type not in {FOLDER, SHORTCUT} else None
    if edit.size is not None:
        return SeededContent(edit.seed, edit.size)
    if edit.data is not None:
        return BytesContent(base64.b64decode(edit.data))
    return BytesContent((edit.text or "").encode())


def _create(state: DriveState, edit: Edit, at: int | None) -> Item:
    name = edit.name or "Untitled"
    parent = edit.parent or state.users[edit.by].root_id
    if edit.target is not None:
        return edits.shortcut(state, name, parent, edit.target, by=edit.by, at=at, logged=at)
    mime_type = edit.mime_type or edits.guess_type(name)
    content = _content(edit, mime_type)
    return edits.create(state, name, parent, content, by=edit.by, mime_type=mime_type, at=at, logged=at)


def _modify(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    content = _content(edit, item.mime_type)
    if content is None:
        raise ValueError("a folder or shortcut has no content")
    edits.write(state, item, content, by=edit.by, at=at, keep=edit.keep, logged=at)


def _rename(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    edits.rename(state, item, edit.name or item.name, by=edit.by, at=at)


def _move(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    parents = [state.items[edit.parent].id] if edit.parent else []
    edits.move(state, item, parents, by=edit.by, at=at)


def _trash(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    edits.trash(state, item, by=edit.by, at=at, trashed=edit.action == "trash")


def _delete(state: DriveState, item: Item, _edit: Edit, at: int | None) -> None:
    state.remove(item, at)


def _share(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    permission = state.user_permission(edit.email or "", edit.role)
    change = edits.share if edit.action == "share" else edits.unshare
    change(state, item, permission, at)


def _flags(state: DriveState, item: Item, edit: Edit, at: int | None) -> None:
    flags = edit.flags or Flags()
    with state.editing(item, at):
        for name in flags.__struct_fields__:
            value = getattr(flags, name)
            if value is not None:
                setattr(item, name, value)


def _touch(state: DriveState, item: Item, _edit: Edit, at: int | None) -> None:
    with state.editing(item, at):
        pass


_ACTIONS: dict[str, Callable[[DriveState, Item, Edit, int | None], None]] = {
    "modify": _modify,
    "rename": _rename,
    "move": _move,
    "trash": _trash,
    "untrash": _trash,
    "delete": _delete,
    "share": _share,
    "unshare": _share,
    "flags": _flags,
    "touch": _touch,
}
