"""An organisation in memory that implements ``ports.Directory``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from include.drive_backup.ports import Account, SharedDrive


class FakeDirectory:
    """``asked`` holds what was listed, and as whom."""

    def __init__(self, accounts: Sequence[Account] = (), drives: Sequence[SharedDrive] = ()) -> None:
        self.accounts, self.drives = accounts, drives
        self.asked: list[tuple[str | None, ...]] = []
        #: Drive's ids of those who can be acted as, by address; and the accounts that were deleted
        self.ids: dict[str, str] = {}
        self.deleted: list[Account] = []

    async def me(self) -> str:
        return "Me@example.com"

    async def permission_id(self, address: str) -> str | None:
        self.asked.append(("permission_id", address))
        return self.ids.get(address)

    async def deleted_users(self, *, admin: str | None) -> AsyncIterator[Account]:
        self.asked.append(("deleted", admin))
        for account in self.deleted:
            yield account

    async def users(self, *, domain: str | None, admin: str | None) -> AsyncIterator[Account]:
        self.asked.append(("users", domain, admin))
        for account in self.accounts:
            if domain is None or account.email.endswith(f"@{domain}"):
                yield account

    async def shared_drives(self, *, admin: str | None) -> AsyncIterator[SharedDrive]:
        self.asked.append(("drives", admin))
        for drive in self.drives:
            yield drive
