"""The snapshot that a person names, with all that the person has to know of it said on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.drive_backup.cli.app import Session
from include.drive_backup.cli.people import named_source
from include.drive_backup.errors import UNREADABLE, SnapshotNotFoundError, SourceBusyError
from include.drive_backup.manifest.erased import erased_note
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.narrowed import narrowed_note
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.moments import read_zone
from include.drive_backup.ports import BlobStore

#: What to say of a container without any.
NO_SNAPSHOT = "The container holds no snapshot. Is it the right one?"


@contextmanager
def going_on(session: Session, *, alone: bool) -> Iterator[None]:
    """Say what kept one of many sources from being looked at: the others are looked at all the same.

    :param alone: there are no others, so the command ends.
    """
    try:
        yield
    except (SnapshotNotFoundError, SourceBusyError, *UNREADABLE) as error:
        if alone:
            raise
        session.output.flaw(str(error))


async def sources_of(session: Session, store: BlobStore, source: str | None, series: str | None = None) -> list[Source]:
    """The source that a person names; None: all of them, or all that have a series.

    :raises SnapshotNotFoundError: the container has no snapshot, or none of this series.
    """
    if source:
        return [await named_source(session.output, store, source)]
    found = [each.source for each in await SnapshotRepository(store).all_series() if series in (None, each.name)]
    if found:
        return list(dict.fromkeys(found))
    if series is None:
        raise SnapshotNotFoundError(NO_SNAPSHOT)
    raise SnapshotNotFoundError(
        f"The container holds no snapshot in a series '{series}'; `drive-backup sources` lists what there is."
    )


async def choose(
    session: Session, store: BlobStore, source: str, at: str, series: str | None, time_zone: str
) -> Manifest:
    """Find a snapshot, and say what it is. One that stands in for a damaged one lets the command end with 1.

    :param at: as for :meth:`.repository.SnapshotRepository.choose`.
    :param time_zone: the name of one.
    :raises SnapshotNotFoundError: there is none.
    :raises CorruptStoreError: it is damaged.
    """
    whose = await named_source(session.output, store, source)
    found = await SnapshotRepository(store).choose(whose, at, series, read_zone(time_zone))
    for note in (*found.notes, await narrowed_note(store, found.manifest), erased_note(found.manifest)):
        session.output.note(note)
    for flaw in found.flaws:
        session.output.flaw(flaw)
    return found.manifest
