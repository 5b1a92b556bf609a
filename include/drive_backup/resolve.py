"""The first step of a run: from what a job's ``sources`` say to the sources that there are."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence

from include.drive_backup.errors import SourceNotFoundError
from include.drive_backup.groups import LeftOut
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import Account, Directory, SharedDrive
from include.drive_backup.printing import one_line
from include.drive_backup.selection import ME, Entry, Selection

log = logging.getLogger(__name__)


class Found(Struct, frozen=True):
    """A source of the run. ``asked``: it is named, and not only found by a pattern."""

    source: Source
    asked: bool


async def resolve(entries: Sequence[Entry], directory: Directory) -> tuple[list[Found], list[LeftOut]]:
    """Find the sources. Each is found once; what is named comes before what is found by patterns.

    :return: the sources, and what patterns found that cannot be backed up.
    :raises SourceNotFoundError: there is nothing to back up.
    :raises CredentialsError: the users or shared drives of the domain may not be listed.
    """
    found: dict[Source, Found] = {}
    left_out: dict[str, LeftOut] = {}
    for entry in entries:
        if isinstance(entry, Source):
            source = await _named(entry, directory)
            found[source] = Found(source=source, asked=True)
    lists = _Lists(directory)
    for entry in entries:
        if isinstance(entry, Selection):
            nothing = True
            async for each in lists.find(entry):
                nothing = False
                if isinstance(each, LeftOut):
                    left_out[each.source] = each
                else:
                    found.setdefault(each, Found(source=each, asked=False))
            if nothing:
                log.warning("'%s' of the job's sources finds nothing. Correct it, or take it out.", entry)
    # What is named is tried, whatever a pattern says of it.
    named = {str(source) for source in found}
    missed = [row for name, row in left_out.items() if name not in named]
    _check(entries, found, missed)
    return list(found.values()), missed


async def _named(source: Source, directory: Directory) -> Source:
    if source.user != ME:
        return source
    return Source(kind=source.kind, id=(await directory.me()).lower())


class _Lists:
    """The domain's users and shared drives, listed once however many patterns ask for them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._users: dict[tuple[str | None, str | None], list[Account]] = {}
        self._drives: dict[str | None, list[SharedDrive]] = {}

    async def find(self, selection: Selection) -> AsyncIterator[Source | LeftOut]:
        """What a pattern finds."""
        if selection.kind == "drive":
            for drive in await self._all_drives(selection):
                if selection.names(drive.name, drive.id):
                    yield Source(kind="drive", id=drive.id) if drive.readable else _unreadable(drive)
            return
        for account in await self._all_users(selection):
            if selection.names(account.email) and selection.holds_unit(account.org_unit):
                source = Source(kind=selection.kind, id=account.email.lower())
                yield _suspended(source) if account.suspended else source

    async def _all_users(self, selection: Selection) -> list[Account]:
        key = (selection.domain, selection.admin)
        if key not in self._users:
            listing = self._directory.users(domain=selection.domain, admin=selection.admin)
            self._users[key] = [account async for account in listing]
        return self._users[key]

    async def _all_drives(self, selection: Selection) -> list[SharedDrive]:
        key = selection.admin
        if key not in self._drives:
            self._drives[key] = [drive async for drive in self._directory.shared_drives(admin=key)]
        return self._drives[key]


def _suspended(source: Source) -> LeftOut:
    return LeftOut(
        source=str(source),
        reason="suspended",
        message="The account is suspended, and Google lets nobody act as it. Restore it to back it up, or exclude it.",
    )


def _unreadable(drive: SharedDrive) -> LeftOut:
    return LeftOut(
        source=f"drive/{drive.id}",
        reason="notAMember",
        message=f"The shared drive '{one_line(drive.name)}' has not the backup's account among its members. Add it "
        "as a Viewer or better, or exclude the drive.",
    )


def _check(entries: Sequence[Entry], found: dict[Source, Found], missed: list[LeftOut]) -> None:
    for row in missed:
        log.warning("%s is left out (%s): %s", row.source, row.reason, row.message)
    if not found:
        because = f" All {len(missed)} that were found had to be left out; see above." if missed else ""
        raise SourceNotFoundError(
            f"Nothing matches the sources {', '.join(map(str, entries))}, so there is nothing to back up.{because} "
            "Correct the job's sources."
        )
