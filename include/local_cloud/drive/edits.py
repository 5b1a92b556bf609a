"""What people do to a Drive: make, write, rename, move, trash, delete, share. Times are ms since 1970."""

from __future__ import annotations

import mimetypes

from include.local_cloud.drive.content import Content, NativeContent
from include.local_cloud.drive.model import FOLDER, NATIVE, SHORTCUT, Item, Permission, Revision
from include.local_cloud.drive.state import DriveState

PURGE_AFTER_MS = 30 * 24 * 3600 * 1000
PURGE_BEYOND = 100


def guess_type(name: str) -> str:
    """By the extension, as Drive does for uploads that do not say."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def create(
    state: DriveState,
    name: str,
    parent: str | None,
    content: Content | None = None,
    *,
    by: str,
    mime_type: str | None = None,
    at: int | None = None,
    created: int | None = None,
    file_id: str | None = None,
    log: bool = True,
    logged: int | None = None,
) -> Item:
    """A new item.

    :param parent: folder id; None makes an orphan.
    :param by: who does it; also the owner, except in a shared drive.
    :param at: its modifiedTime; now by default.
    :param created: its createdTime; ``at`` by default.
    :param logged: the change log's time; now by default, whatever modifiedTime a client may set.
    """
    at = state.clock.now() if at is None else at
    drive_id = state.items[parent].drive_id if parent else None
    item = Item(
        id=file_id
        or state.new_id(44 if (mime_type or "").startswith(NATIVE) and mime_type not in {FOLDER, SHORTCUT} else 33),
        name=name,
        mime_type=mime_type or guess_type(name),
        parents=[parent] if parent else [],
        owner=None if drive_id else by,
        created=at if created is None else created,
        modified=at,
        by=by,
        drive_id=drive_id,
    )
    if content is not None:
        item.revisions.append(_revision(state, item, content, at, by))
    return state.add(item, log=log, at=logged)


def folder(state: DriveState, name: str, parent: str, *, by: str, at: int | None = None) -> Item:
    """A new folder."""
    return create(state, name, parent, by=by, mime_type=FOLDER, at=at)


def shortcut(
    state: DriveState,
    name: str,
    parent: str,
    target: str,
    *,
    by: str,
    at: int | None = None,
    logged: int | None = None,
) -> Item:
    """A new shortcut; the target may be missing."""
    item = create(state, name, parent, by=by, mime_type=SHORTCUT, at=at, logged=logged)
    item.target = target
    found = state.items.get(target)
    item.target_mime = found.mime_type if found else "application/pdf"
    return item


def _revision(state: DriveState, item: Item, content: Content, at: int, by: str) -> Revision:
    if isinstance(content, NativeContent):
        # Small numbers with gaps, as Docs has them.
        last = int(item.revisions[-1].id) if item.revisions else 0
        return Revision(str(last + 1 + len(item.revisions) % 3), at, content, item.mime_type, by)
    return Revision(state.new_id(51), at, content, item.mime_type, by, name=item.name)


def write(
    state: DriveState,
    item: Item,
    content: Content,
    *,
    by: str,
    at: int | None = None,
    keep: bool = False,
    logged: int | None = None,
) -> None:
    """New content: a new head revision, and older ones may fall out.

    :param at: its modifiedTime; now by default.
    :param logged: the change log's time; now by default, whatever modifiedTime a client may set.
    """
    at = state.clock.now() if at is None else at
    with state.editing(item, logged):
        item.revisions.append(_revision(state, item, content, at, by))
        item.revisions[-1].keep = keep
        item.modified, item.by = at, by
    purge(state, item)


def purge(state: DriveState, item: Item) -> None:
    """Forget old revisions of a blob as Drive does: after 30 days, or behind 100 newer ones, unless kept."""
    if item.native:
        return
    oldest = state.clock.now() - PURGE_AFTER_MS
    count = len(item.revisions)
    item.revisions = [
        revision
        for place, revision in enumerate(item.revisions)
        if place == count - 1 or revision.keep or (revision.modified >= oldest and count - place <= PURGE_BEYOND)
    ]


def rename(state: DriveState, item: Item, name: str, *, by: str, at: int | None = None) -> None:
    """Another name; it counts as a modification."""
    at = state.clock.now() if at is None else at
    with state.editing(item, at):
        item.name, item.modified, item.by = name, at, by


def move(state: DriveState, item: Item, parents: list[str], *, by: str, at: int | None = None) -> None:
    """Other parents; modifiedTime stays. Moving into or out of a shared drive takes the subtree along."""
    drive_id = state.items[parents[0]].drive_id if parents else None
    moving = [item, *state.descendants(item.id)] if drive_id != item.drive_id else []
    with state.editing(item, at):
        item.parents = parents
        if drive_id != item.drive_id:
            item.drive_id, item.owner = drive_id, None if drive_id else by
    for inside in moving[1:]:
        with state.editing(inside, at):
            inside.drive_id, inside.owner = drive_id, None if drive_id else by


def trash(state: DriveState, item: Item, *, by: str, at: int | None = None, trashed: bool = True) -> None:
    """Into the trash, with everything inside, or out of it."""
    with state.editing(item, at):
        item.explicitly_trashed = trashed
        item.trashed_at, item.by = (state.clock.now() if at is None else at), by


def share(state: DriveState, item: Item, permission: Permission, at: int | None = None) -> None:
    """Grant; an earlier grant to the same one is replaced."""
    with state.editing(item, at):
        item.permissions = [p for p in item.permissions if p.id != permission.id] + [permission]
    _log_membership(state, item, permission.email, removed=False, at=at)


def unshare(state: DriveState, item: Item, permission: Permission, at: int | None = None) -> None:
    """Take a grant back."""
    with state.editing(item, at):
        item.permissions = [p for p in item.permissions if p.id != permission.id]
    _log_membership(state, item, permission.email, removed=True, at=at)


def _log_membership(state: DriveState, item: Item, email: str | None, *, removed: bool, at: int | None) -> None:
    """Joining or leaving a shared drive is one entry in the user's log, not one for each item."""
    if item.id not in state.drives:
        return
    moment = state.clock.now() if at is None else at
    state.logs[item.id].record(item.id, moment, drive=True)
    if email in state.logs:
        state.logs[email].record(item.id, moment, removed=removed, drive=True)
