"""The source that a person names: by its name, or by an address that its person has or had."""

from __future__ import annotations

from include.drive_backup.cli.output import Output
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.identity.names import stored_source
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
