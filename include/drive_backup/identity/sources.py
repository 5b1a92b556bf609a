"""The sources of a run, with what is new of their persons written down before anything is stored for them."""

from __future__ import annotations

from collections.abc import Sequence

from include.drive_backup.clock import StoreClock
from include.drive_backup.errors import SourceBusyError
from include.drive_backup.groups import LeftOut
from include.drive_backup.identity.recognise import Recogniser
from include.drive_backup.identity.registry import read_people, write_people
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, SourceKind
from include.drive_backup.ports import BlobStore, Directory
from include.drive_backup.resolve import Found, resolve
from include.drive_backup.selection import Entry

_TRIES = 5


async def find_sources(
    store: BlobStore, entries: Sequence[Entry], directory: Directory, *, by: str, keep: bool
) -> tuple[list[Found], list[LeftOut]]:
    """See :func:`.resolve.resolve`.

    :param by: the run.
    :param keep: false in a dry run, which writes nothing down.
    :raises CorruptStoreError: what is known of persons cannot be read.
    :raises SourceBusyError: other runs write it down all the time.
    """
    clock, repository = await StoreClock.of(store), SnapshotRepository(store)

    async def stored(name: str) -> bool:
        kinds: tuple[SourceKind, ...] = ("user", "shared")
        return any([await repository.names(Source(kind=kind, id=name)) for kind in kinds])

    for _ in range(_TRIES):
        number, people = await read_people(store)
        recogniser = Recogniser(people, directory.permission_id, stored)
        found = await resolve(entries, directory, recogniser)
        if not keep or not recogniser.changed or await write_people(store, number, people, by, clock):
            return found
    raise SourceBusyError("Other runs write down who is who all the time. Clear this task to try again.")
