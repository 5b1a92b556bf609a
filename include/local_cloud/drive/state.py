"""All that a Drive holds, its indexes and its logs of changes."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from include.local_cloud.drive.access import role_of
from include.local_cloud.drive.changelog import ChangeLog
from include.local_cloud.drive.clock import AdjustableClock
from include.local_cloud.drive.model import FOLDER, Item, Permission, SharedDrive, User


class DriveState:
    """All that this Drive holds. Everything that changes an item goes through :meth:`editing`.

    :param seed: of the ids, which are the same for the same seed and the same order of making things.
    """

    def __init__(self, *, seed: int = 1, clock: AdjustableClock | None = None) -> None:
        self.clock = clock or AdjustableClock()
        self.users: dict[str, User] = {}
        #: other addresses of users, with their permission ids; nobody can sign in with one, or be acted as by it
        self.aliases: dict[str, str] = {}
        self.deleted_users: list[tuple[User, int]] = []
        self.drives: dict[str, SharedDrive] = {}
        self.items: dict[str, Item] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.owned: dict[str, dict[str, None]] = {}
        self.granted: dict[str, dict[str, None]] = {}
        self.logs: dict[str, ChangeLog] = {}
        self.reserved_ids: dict[str, str] = {}
        self.read_only = False
        self.unlisted: dict[str, str] = {}
        # A back end that mirrors something (a folder on disk) looks for changes here.
        self.refresh: Callable[[], Awaitable[None]] | None = None
        self.check: Callable[[Item], Awaitable[None]] | None = None
        self._random = random.Random(seed)

    def new_id(self, length: int = 33) -> str:
        """An opaque id in Drive's alphabet; file ids have 33 characters and start with 1."""
        return "1" + base64.urlsafe_b64encode(self._random.randbytes(length)).decode()[: length - 1]

    def add_user(self, email: str, name: str | None = None, *, admin: bool = False) -> User:
        """A user with an empty My Drive.

        :raises ValueError: the address is the alias of another user.
        """
        if email in self.aliases:
            raise ValueError(f"Entity already exists: {email}")
        name = name or email.partition("@")[0].capitalize()
        permission_id = str(self._random.randrange(10**19, 10**20))
        user = User(email=email, name=name, permission_id=permission_id, root_id="0A" + self.new_id(17), admin=admin)
        self.users[email] = user
        self.logs[email] = ChangeLog(email, first=self._random.randrange(1_000, 100_000))
        now = self.clock.now()
        self.add(Item(user.root_id, "My Drive", FOLDER, [], email, now, now, by=email), log=False)
        return user

    def add_drive(self, name: str, members: dict[str, str]) -> SharedDrive:
        """A shared drive.

        :param members: e-mail address → role (organizer, fileOrganizer, writer, commenter, reader).
        """
        now = self.clock.now()
        drive = SharedDrive(id="0A" + self.new_id(17), name=name, created=now)
        self.drives[drive.id] = drive
        self.logs[drive.id] = ChangeLog(drive.id, first=self._random.randrange(1_000, 100_000))
        root = Item(drive.id, "Drive", FOLDER, [], None, now, now, drive_id=drive.id)
        root.permissions = [self.user_permission(email, role) for email, role in members.items()]
        self.add(root, log=False)
        return drive

    def user_permission(self, email: str, role: str) -> Permission:
        """A permission for a user; its id is the user's, as in Drive."""
        user = self.users.get(email)
        ident = user.permission_id if user else str(zlib.crc32(email.encode()))
        return Permission(id=ident, type="user", role=role, email=email, since=self.clock.now())

    def is_root(self, item: Item) -> bool:
        """Whether it is a My Drive's or a shared drive's root folder."""
        return item.id in self.drives or (item.owner in self.users and self.users[item.owner].root_id == item.id)

    def add(self, item: Item, *, log: bool = True, at: int | None = None) -> Item:
        """Put a new item into its place.

        :param at: milliseconds since 1970 that the change log shows; now by default.
        """
        item.born = self.clock.now()
        self.items[item.id] = item
        self._link(item)
        self._inherit_trash(item)
        if log:
            self._log(item, self.audience(item), set(), at)
        return item

    @contextmanager
    def editing(self, item: Item, at: int | None = None) -> Iterator[Item]:
        """Change an item: indexes, trash state, version and logs follow.

        :param at: milliseconds since 1970 that the change log shows; now by default.
        """
        before = self.audience(item)
        self._unlink(item)
        try:
            yield item
        finally:
            self._link(item)
        self._inherit_trash(item)
        item.version += 1
        after = self.audience(item)
        self._log(item, after, before - after, at)

    def remove(self, item: Item, at: int | None = None) -> None:
        """Delete for good, with everything inside a folder."""
        for child in list(self.children.get(item.id, ())):
            self.remove(self.items[child], at)
        before = self.audience(item)
        self._unlink(item)
        del self.items[item.id]
        self.children.pop(item.id, None)
        self._log(item, set(), before, at)

    def audience(self, item: Item) -> set[str]:
        """The logs that tell of this item: users' addresses and shared drives' ids."""
        logs = {email for email in self.users if role_of(self, item, email, links=False) is not None}
        if item.drive_id is None:
            return logs
        members = {p.email for p in self.items[item.drive_id].permissions if p.email}
        return (logs - members) | {item.drive_id}

    def descendants(self, item_id: str) -> Iterator[Item]:
        """Everything below a folder."""
        stack = list(self.children.get(item_id, ()))
        while stack:
            item = self.items[stack.pop()]
            yield item
            stack.extend(self.children.get(item.id, ()))

    def _link(self, item: Item) -> None:
        for parent in item.parents:
            self.children.setdefault(parent, {})[item.id] = None
        if item.owner is not None:
            self.owned.setdefault(item.owner, {})[item.id] = None
        for grant in item.permissions:
            self.granted.setdefault(grant.email or grant.type, {})[item.id] = None

    def _unlink(self, item: Item) -> None:
        for parent in item.parents:
            self.children.get(parent, {}).pop(item.id, None)
        self.owned.get(item.owner or "", {}).pop(item.id, None)
        for grant in item.permissions:
            self.granted.get(grant.email or grant.type, {}).pop(item.id, None)

    def _inherit_trash(self, item: Item) -> None:
        parents = [self.items[parent] for parent in item.parents if parent in self.items]
        trashed = item.explicitly_trashed or any(parent.trashed for parent in parents)
        if trashed == item.trashed:
            return
        item.trashed = trashed
        for child in self.children.get(item.id, ()):
            self._inherit_trash(self.items[child])

    def _log(self, item: Item, seen_by: set[str], lost_by: set[str], at: int | None = None) -> None:
        moment = self.clock.now() if at is None else at
        for name in seen_by:
            self.logs[name].record(item.id, moment)
        for name in lost_by:
            self.logs[name].record(item.id, moment, removed=True)
