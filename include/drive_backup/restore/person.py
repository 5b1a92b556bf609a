"""A restore that names a person: the history is found by any address, and it goes to the address of now."""

from __future__ import annotations

from msgspec.structs import replace

from include.drive_backup.errors import SourceNotFoundError
from include.drive_backup.identity.names import address_of, place_of, stored_source
from include.drive_backup.identity.people import People
from include.drive_backup.identity.registry import read_people
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.restore.batches import RestoreTask


async def of_person(store: BlobStore, task: RestoreTask) -> tuple[RestoreTask, str | None]:
    """The restore with the source that is stored, and with the place that is meant.

    Whether the restore is allowed, and who is asked, is told by what this returns: names may mislead.

    :return: the task, and what to say about it.
    :raises ConfigError: the person that it would go back to has no address that is known.
    :raises CorruptStoreError: what is known of persons cannot be read.
    """
    source, to = Source.parse(task.source), None if task.place is not None else Source.parse(task.to)
    if source.user is None and (to is None or to.user is None):
        return task, None
    _, people = await read_people(store)
    stored, note = stored_source(people, source)
    found = replace(task, source=str(stored), home=address_of(people, stored))
    return (found if to is None else _placed(people, found, source, to)), note


def _placed(people: People, task: RestoreTask, written: Source, to: Source) -> RestoreTask:
    place = place_of(people, written, Source.parse(task.source), to)
    if place.user is None:
        return task
    if task.subject != to.user:
        return replace(task, to=str(place))
    holder = people.find("address", place.user)
    person = holder.permission_id if holder is not None else None
    return replace(task, to=str(place), subject=place.user, person=person)


async def check_person(drive: Drive, address: str | None, person: str | None) -> None:
    """Never give a person's files to somebody who has got the address since the last backup.

    :param address: whose Drive is meant.
    :param person: the ``permissionId`` of who has it, where that is known.
    :raises SourceNotFoundError: Drive says that it is another person.
    """
    found = None if person is None else await drive.user_id()
    if found is not None and found != person:
        raise SourceNotFoundError(
            f"Drive was asked as {address}, and it answered for another person: the id of the one who is meant is "
            f"{person}, and this is {found}. Nothing was restored. Let a backup run, which looks whose address it "
            "is, and restore again.",
            reason="otherPerson",
        )
