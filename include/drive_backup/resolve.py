"""The first step of a run: from what a job's ``sources`` say to the sources that there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from include.drive_backup.errors import SourceNotFoundError
from include.drive_backup.groups import DELETED, SUSPENDED, LeftOut
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.recognise import Recogniser
from include.drive_backup.model import Source, SourceKind, Struct
from include.drive_backup.ports import Account, Directory, SharedDrive
from include.drive_backup.printing import one_line
from include.drive_backup.selection import ME, Entry, Selection

log = logging.getLogger(__name__)

#: New users that Drive is asked about at once.
_AT_ONCE = 8


class Found(Struct, frozen=True):
    """A source of the run. ``asked``: it is named, and not only found by a pattern.

    :param entry: as the job's settings may have it, with the address; None: as ``source``.
    :param person: of a user's source: who it is.
    """

    source: Source
    asked: bool
    entry: Source | None = None
    person: Person | None = None


async def resolve(
    entries: Sequence[Entry], directory: Directory, people: Recogniser | None = None
) -> tuple[list[Found], list[LeftOut]]:
    """Find the sources. Each is found once; what is named comes before what is found by patterns.

    :param people: who is known; without it each address is a person.
    :return: the sources, and what patterns found that cannot be backed up.
    :raises SourceNotFoundError: there is nothing to back up.
    :raises CredentialsError: the users or shared drives of the domain may not be listed.
    """
    people = people or Recogniser(People(), _unknown)
    found: dict[Source, Found] = {}
    left_out: dict[str, LeftOut] = {}
    for entry in entries:
        if isinstance(entry, Source):
            each = await _named(entry, directory, people)
            found[each.source] = each
    lists = _Lists(directory, people)
    for entry in entries:
        if isinstance(entry, Selection):
            hits = await lists.find(entry)
            for hit in hits:
                if isinstance(hit, LeftOut):
                    left_out[hit.source] = hit
                else:
                    found.setdefault(hit.source, hit)
            if not hits:
                log.warning("'%s' of the job's sources finds nothing. Correct it, or take it out.", entry)
    # What is named is tried, whatever a pattern says of it.
    named = {str(source) for source in found}
    missed = [row for name, row in left_out.items() if name not in named]
    _check(entries, found, missed)
    return list(found.values()), missed


async def _unknown(_address: str) -> str | None:
    return None


async def _named(entry: Source, directory: Directory, people: Recogniser) -> Found:
    if entry.user is None:
        return Found(source=entry, asked=True)
    source = Source(kind=entry.kind, id=(await directory.me()).lower()) if entry.user == ME else entry
    person = await people.person(source.id)
    return Found(source=Source(kind=source.kind, id=person.name), asked=True, entry=source, person=person)


class _Lists:
    """The domain's users and shared drives, listed once however many patterns ask for them."""

    def __init__(self, directory: Directory, people: Recogniser) -> None:
        self._directory = directory
        self._people = people
        self._users: dict[tuple[str | None, str | None], list[Account]] = {}
        self._deleted: dict[str | None, list[Account]] = {}
        self._drives: dict[str | None, list[SharedDrive]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def find(self, selection: Selection) -> Sequence[Found | LeftOut]:
        """What a pattern finds."""
        if selection.kind == "drive":
            return [
                _drive(drive) for drive in await self._all_drives(selection) if selection.names(drive.name, drive.id)
            ]
        accounts = [
            account
            for account in await self._all_users(selection)
            if selection.names(account.email) and selection.holds_unit(account.org_unit)
        ]
        hits = await asyncio.gather(*(self._user(selection.kind, account) for account in accounts))
        return [*hits, *await self._leavers(selection)]

    async def _user(self, kind: SourceKind, account: Account) -> Found | LeftOut:
        address = account.email.lower()
        if account.suspended:
            return _suspended(Source(kind=kind, id=self._people.silent(address, account.id).name))
        async with self._room:
            person = await self._people.person(address, account.id)
        entry = Source(kind=kind, id=address)
        return Found(source=Source(kind=kind, id=person.name), asked=False, entry=entry, person=person)

    async def _leavers(self, selection: Selection) -> list[LeftOut]:
        """Known persons of the pattern whose accounts were deleted. That one is not listed does not say so."""
        listed = {account.id for account in await self._all_users(selection)}
        missing = [
            person
            for person in self._people.people
            if person.directory_id is not None
            and person.directory_id not in listed
            and person.address is not None
            and selection.names(person.address)
            and person.address.endswith(f"@{selection.domain}" if selection.domain else "")
        ]
        if not missing:
            return []
        deleted = {account.id for account in await self._all_deleted(selection)}
        return [
            _deleted(Source(kind=selection.kind, id=person.name))
            for person in missing
            if person.directory_id in deleted
        ]

    async def _all_users(self, selection: Selection) -> list[Account]:
        key = (selection.domain, selection.admin)
        if key not in self._users:
            listing = self._directory.users(domain=selection.domain, admin=selection.admin)
            self._users[key] = [account async for account in listing]
        return self._users[key]

    async def _all_deleted(self, selection: Selection) -> list[Account]:
        key = selection.admin
        if key not in self._deleted:
            self._deleted[key] = [account async for account in self._directory.deleted_users(admin=key)]
        return self._deleted[key]

    async def _all_drives(self, selection: Selection) -> list[SharedDrive]:
        key = selection.admin
        if key not in self._drives:
            self._drives[key] = [drive async for drive in self._directory.shared_drives(admin=key)]
        return self._drives[key]


def _drive(drive: SharedDrive) -> Found | LeftOut:
    source = Source(kind="drive", id=drive.id)
    return Found(source=source, asked=False) if drive.readable else _unreadable(drive)


def _suspended(source: Source) -> LeftOut:
    return LeftOut(
        source=str(source),
        reason=SUSPENDED,
        message="The account is suspended, and Google lets nobody act as it. Restore it to back it up, or exclude it.",
    )


def _deleted(source: Source) -> LeftOut:
    return LeftOut(
        source=str(source),
        reason=DELETED,
        message="The account was deleted in Google Workspace. An administrator can bring it back for 20 days.",
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
