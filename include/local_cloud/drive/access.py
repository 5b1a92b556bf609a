"""Who may see and do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from include.local_cloud.drive.errors import file_not_found
from include.local_cloud.drive.model import FOLDER, SHORTCUT, Item, Permission

if TYPE_CHECKING:
    from include.local_cloud.drive.state import DriveState

ROLES = ("reader", "commenter", "writer", "fileOrganizer", "organizer", "owner")
RANK = {role: rank for rank, role in enumerate(ROLES)}
WRITER = RANK["writer"]


def role_of(state: DriveState, item: Item, email: str, *, links: bool = True) -> str | None:
    """The strongest role that a user has on an item, or None.

    :param links: count "anyone with the link" too. Listings and logs do not, unless the user opened the file.
    """
    if item.owner == email:
        return "owner"
    roles = [p.role for p in item.permissions if _applies(p, email, links=links or email in item.viewed)]
    for parent in item.parents:
        inherited = _inherited(state, parent, email, links=links)
        if inherited is not None:
            # The owner of a folder edits what others put into it, but does not own it.
            roles.append("writer" if inherited == "owner" else inherited)
    if item.drive_id is not None and not item.parents and item.id != item.drive_id:
        roles.append(role_of(state, state.items[item.drive_id], email, links=links) or "")
    return max(filter(None, roles), key=RANK.__getitem__, default=None)


def _inherited(state: DriveState, parent_id: str, email: str, *, links: bool) -> str | None:
    parent = state.items.get(parent_id)
    if parent is None:
        return None
    if parent.limited and parent.owner != email:
        # A limited-access folder hands on only what was granted on itself.
        roles = [p.role for p in parent.permissions if _applies(p, email, links=links)]
        return max(roles, key=RANK.__getitem__, default=None)
    return role_of(state, parent, email, links=links)


def _applies(permission: Permission, email: str, *, links: bool) -> bool:
    if permission.type in {"user", "group"}:
        return permission.email == email
    if permission.type == "domain":
        same = email.rpartition("@")[2] == permission.domain
        return same and (links or permission.discovery)
    return links


def can_list_children(state: DriveState, item: Item, email: str) -> bool:
    """False for a limited-access folder whose metadata the user sees, but not what is inside."""
    return item.mime_type == FOLDER and item.listable and _inherited(state, item.id, email, links=True) is not None


def needs_key(item: Item, email: str) -> bool:
    """Whether this user must send the item's resource key: access by link only, or a test demands it."""
    if item.resource_key is None:
        return False
    direct = item.owner == email or any(p.email == email for p in item.permissions)
    return item.key_required or not direct


def readable(state: DriveState, item_id: str, email: str, keys: dict[str, str], *, all_drives: bool = True) -> Item:
    """Find an item for a user.

    :param keys: file id → resource key, as sent in ``X-Goog-Drive-Resource-Keys``.
    :param all_drives: the call has ``supportsAllDrives``.
    :raises ApiError: 404, whatever the cause: Drive does not say which.
    """
    ident = state.users[email].root_id if item_id == "root" else item_id
    item = state.items.get(ident)
    if item is None or (item.drive_id and not all_drives) or role_of(state, item, email) is None:
        raise file_not_found(item_id)
    if needs_key(item, email) and keys.get(ident) != item.resource_key:
        raise file_not_found(item_id)
    return item


def corpus(state: DriveState, email: str) -> Iterator[Item]:
    """Everything in My Drives that a user reaches without knowing a link: own items, shared ones and what is inside."""
    seen: set[str] = set()
    for ident in state.owned.get(email, ()):
        seen.add(ident)
        yield state.items[ident]
    opened = [i for kind in ("anyone", "domain") for i in state.granted.get(kind, ())]
    for ident in [*state.granted.get(email, ()), *opened, *list(seen)]:
        if ident in seen and state.items[ident].mime_type != FOLDER:
            continue
        yield from _reach(state, ident, email, seen)


def _reach(state: DriveState, ident: str, email: str, seen: set[str]) -> Iterator[Item]:
    stack = [ident]
    while stack:
        item = state.items[stack.pop()]
        if item.id not in seen:
            seen.add(item.id)
            if item.id in state.drives or role_of(state, item, email, links=False) is None:
                continue
            yield item
        if item.drive_id is None and can_list_children(state, item, email):
            stack.extend(i for i in state.children.get(item.id, ()) if i not in seen)


def can_share(state: DriveState, item: Item, email: str) -> bool:
    """Whether the user may share the item, and so sees its permissions."""
    rank = RANK.get(role_of(state, item, email) or "", -1)
    needed = RANK["fileOrganizer"] if item.mime_type == FOLDER and item.drive_id else WRITER
    return rank >= needed


def can_download(state: DriveState, item: Item, email: str) -> bool:
    """The download right; folders and shortcuts have nothing to give."""
    if item.mime_type in {FOLDER, SHORTCUT} or not item.downloadable:
        return False
    restricted = item.fields.get("copyRequiresWriterPermission", False)
    return not restricted or RANK.get(role_of(state, item, email) or "", -1) >= WRITER


def can_edit(state: DriveState, item: Item, email: str) -> bool:
    """Writers and above, unless the whole Drive is read-only."""
    return not state.read_only and RANK.get(role_of(state, item, email) or "", -1) >= WRITER
