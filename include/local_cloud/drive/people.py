"""What an administrator does to users in the Admin console: rename, delete, take an alias away."""

from __future__ import annotations

from typing import Any

from include.local_cloud.drive.model import Item, User
from include.local_cloud.drive.state import DriveState


def rename_user(state: DriveState, old: str, new: str) -> User:
    """Give a user another primary address. Ids, files and the change feed stay; the old address becomes an alias.

    :raises KeyError: there is no such user.
    :raises ValueError: the new address is another user's, or another user's alias.
    """
    user = state.users[old]
    if new in state.users or state.aliases.get(new, user.permission_id) != user.permission_id:
        raise ValueError(f"Entity already exists: {new}")
    user.email = new
    state.aliases.pop(new, None)
    state.aliases[old] = user.permission_id
    indexes: list[dict[str, Any]] = [state.users, state.logs, state.owned, state.granted]
    for index in indexes:
        if old in index:
            index[new] = index.pop(old)
    for item in state.items.values():
        _rename_in(item, old, new)
    return user


def _rename_in(item: Item, old: str, new: str) -> None:
    item.owner = new if item.owner == old else item.owner
    item.by = new if item.by == old else item.by
    if old in item.viewed:
        item.viewed[new] = item.viewed.pop(old)
    for grant in item.permissions:
        grant.email = new if grant.email == old else grant.email
    for revision in item.revisions:
        revision.by = new if revision.by == old else revision.by


def drop_alias(state: DriveState, alias: str) -> None:
    """Take an alias away, so that its address can be given to somebody else.

    :raises KeyError: there is no such alias.
    """
    del state.aliases[alias]


def delete_user(state: DriveState, email: str) -> None:
    """Delete an account with its files. The Directory shows it among the deleted ones for 20 days.

    :raises KeyError: there is no such user.
    """
    user = state.users[email]
    for ident in list(state.owned.get(email, ())):
        if ident in state.items:
            state.remove(state.items[ident])
    del state.users[email]
    for alias in [alias for alias, ident in state.aliases.items() if ident == user.permission_id]:
        del state.aliases[alias]
    state.deleted_users.append((user, state.clock.now()))
