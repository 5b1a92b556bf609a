"""A restore that names a person: the history is found by any address, and it goes to the address of now."""

from __future__ import annotations

from msgspec.structs import replace

from include.drive_backup.identity.names import address_of, stored_source
from include.drive_backup.identity.registry import read_people
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.batches import RestoreTask


async def of_person(store: BlobStore, task: RestoreTask) -> tuple[RestoreTask, str | None]:
    """The restore with the source that is stored; what goes back to its person goes to the address of now.

    :return: the task, and what to say about it.
    :raises CorruptStoreError: what is known of persons cannot be read.
    """
    source = Source.parse(task.source)
    if source.user is None:
        return task, None
    _, people = await read_people(store)
    stored, note = stored_source(people, source)
    found = replace(task, source=str(stored))
    to = None if task.place is not None else Source.parse(task.to)
    if to is None or to.user != source.user:
        return found, note
    address = address_of(people, stored) or source.user
    subject = address if task.subject == source.user else task.subject
    return replace(found, to=str(Source(kind=to.kind, id=address)), subject=subject), note
