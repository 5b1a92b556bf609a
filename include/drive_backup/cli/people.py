"""The source that a person names: by its name, or by an address that its person has or had."""

from __future__ import annotations

from include.drive_backup.cli.output import Output
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.identity.names import place_of, stored_source
from include.drive_backup.identity.registry import read_people
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore


async def named_source(output: Output, store: BlobStore, text: str) -> Source:
    """Read a source; which one is taken is said where it is another than what was written.

    :raises ConfigError: it is no source.
    """
    source = Source.parse(text)
    if source.user is None:
        return source
    try:
        _, people = await read_people(store)
    except CorruptStoreError as error:
        # On the bad day a name still does.
        output.flaw(str(error))
        return source
    stored, note = stored_source(people, source)
    output.note(note)
    return stored


async def named_place(store: BlobStore, written: str, stored: Source, to: Source) -> tuple[Source, str | None]:
    """The place in Drive that a person means, and the ``permissionId`` of who has it, where it is known.

    :param written: the source as the person wrote it, and ``stored``: the one whose history is restored.
    :raises ConfigError: its person has no address that is known.
    :raises CorruptStoreError: what is known of persons cannot be read.
    """
    if to.user is None:
        return to, None
    _, people = await read_people(store)
    place = place_of(people, Source.parse(written), stored, to)
    holder = people.find("address", place.user)
    return place, None if holder is None else holder.permission_id
