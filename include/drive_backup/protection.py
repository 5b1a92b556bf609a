"""Who reads a snapshot for long (a restore, a verification, a repair) keeps retention from deleting it meanwhile.

A reader writes a create-only record ``reading/<source>/<snapshot>/<token>``, or ``reading/<source>/<token>`` for all
snapshots of the source. It counts for the ``seconds`` in its metadata after Blob Storage wrote it, by Blob Storage's
own clock, and is replaced in time by another one; so a reader that was killed is soon forgotten. docs/adr/0020 has the
reasons.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from include.drive_backup.blob.names import SnapshotName, reading_name, reading_prefix
from include.drive_backup.errors import CredentialsError, DriveBackupError, SnapshotNotFoundError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobInfo, BlobStore, Clock, Guard

log = logging.getLogger(__name__)

#: Seconds for which a record counts, and after which it is replaced.
LASTS = 1800
_RENEWED = 600.0
#: Seconds for which a manifest is leased when its reader registers. Whoever deletes looks for readers again when its
#: last look is older than half of that: so it either sees the record or is refused by the service.
FENCE = 60
#: The place of a reader of the whole source.
WHOLE = ""

_READ_ONLY = (
    "This credential may only read. That is enough, but nothing keeps retention from deleting {what} while "
    "{they} being {doing}: pause google_drive_retention in Airflow meanwhile, if it runs there."
)


class Reader(Struct, frozen=True):
    """Who reads, and what for.

    :param who: e.g. ``google_drive_restore/manual__2026-11-23``; the records of one reader can be found by it.
    :param doing: what becomes of the snapshot: ``restored``, ``verified``, ``looked at for a repair``.
    """

    who: str
    doing: str

    def __str__(self) -> str:
        return f"being {self.doing} by {self.who}"


class Record(Struct, frozen=True):
    """One record.

    :param place: of the snapshot within its source; :data:`WHOLE`: all of the source.
    """

    name: str
    place: str
    reader: str
    expired: bool


async def read_records(store: BlobStore, source: Source) -> list[Record]:
    """What is being read of a source, and records that have expired."""
    found = [info async for info in store.list(reading_prefix(source), metadata=True)]
    if not found:
        return []
    now = await store.now()
    records = []
    for info in found:
        place = info.name.removeprefix(reading_prefix(source)).rpartition("/")[0]
        said = Reader(who=info.metadata.get("who", "?"), doing=info.metadata.get("doing", "read"))
        expired = info.modified is not None and now - info.modified >= timedelta(seconds=_seconds(info))
        records.append(Record(name=info.name, place=place, reader=str(said), expired=expired))
    return records


async def read_readers(store: BlobStore, source: Source) -> dict[str, tuple[str, ...]]:
    """Who reads what of a source now, by place."""
    found: dict[str, tuple[str, ...]] = {}
    for record in await read_records(store, source):
        if not record.expired:
            found[record.place] = (*found.get(record.place, ()), record.reader)
    return found


async def forget_expired(store: BlobStore, source: Source, guard: Guard) -> None:
    """Delete the records of readers that were killed."""
    await store.delete([each.name for each in await read_records(store, source) if each.expired], guard=guard)


async def register(store: BlobStore, what: SnapshotName | Source, reader: Reader, seconds: int = LASTS) -> str:
    """Protect what is about to be read.

    :param seconds: how long, unless it is ended before; there is no renewal.
    :return: the record's name.
    :raises SnapshotNotFoundError: the snapshot is not there, or retention has just deleted it.
    :raises CredentialsError: this credential may not write.
    """
    source, place = (what.source, what.key) if isinstance(what, SnapshotName) else (what, WHOLE)
    name = reading_name(source, place, f"{_key(reader)}-{secrets.token_hex(4)}")
    await store.put(name, b"", metadata={"who": reader.who, "doing": reader.doing, "seconds": str(seconds)})
    if isinstance(what, SnapshotName):
        # Whoever looked for readers before the record was there is refused by the service.
        leased = await store.lease(what.manifest, seconds=FENCE)
        if not leased or not await SnapshotRepository(store).is_there(what):
            await _end(store, [name])
            raise SnapshotNotFoundError(f"The snapshot {what.ident} of {what.source} is not there any more.")
    return name


async def unregister(store: BlobStore, snapshot: SnapshotName, reader: Reader) -> None:
    """End all protection of a snapshot by one reader. Trouble with that is logged: the records expire."""
    prefix = reading_name(snapshot.source, snapshot.key, _key(reader))
    try:
        names = [info.name async for info in store.list(prefix)]
    except DriveBackupError as error:
        log.warning("What protects %s is not found; it expires: %s", snapshot.prefix, error)
        return
    await _end(store, names)


@asynccontextmanager
async def protected(
    store: BlobStore, clock: Clock, what: SnapshotName | Source, reader: Reader, warn: Callable[[str], None]
) -> AsyncIterator[None]:
    """Protect a snapshot, or all of a source, while the block reads it.

    :param warn: gets a sentence when this credential may not write: it goes on without protection.
    :raises SnapshotNotFoundError: the snapshot is not there; or it was deleted in spite of all, so that what the block
        read may lack something.
    """
    snapshot = what if isinstance(what, SnapshotName) else None
    named = f"the snapshot {snapshot.ident}" if snapshot else f"the snapshots of {what}"
    names: list[str] = []
    try:
        names.append(await register(store, what, reader))
    except CredentialsError as error:
        log.info("%s", error)
        warn(_READ_ONLY.format(what=named, they="it is" if snapshot else "they are", doing=reader.doing))
    renewal = asyncio.create_task(_renew(store, clock, what, reader, names))
    try:
        yield
    finally:
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)
        await _end(store, names)
    if snapshot is not None and not await SnapshotRepository(store).is_there(snapshot):
        raise SnapshotNotFoundError(
            f"The snapshot {snapshot.ident} of {snapshot.source} was deleted while it was being {reader.doing}: some "
            "of it may be missing in what was read. Use another snapshot."
        )


async def _renew(store: BlobStore, clock: Clock, what: SnapshotName | Source, reader: Reader, names: list[str]) -> None:
    while names:
        await clock.sleep(_RENEWED)
        try:
            names.append(await register(store, what, reader))
            await store.delete(names[:-1])
            del names[:-1]
        except DriveBackupError as error:
            log.warning("What protects %s could not be renewed now: %s", what, error)


async def _end(store: BlobStore, names: list[str]) -> None:
    try:
        await store.delete(names)
    except DriveBackupError as error:
        log.warning("%s could not be deleted; it expires: %s", ", ".join(names), error)


def _seconds(info: BlobInfo) -> int:
    said = info.metadata.get("seconds", "")
    # A number that nobody here writes protects as long as any other reader.
    return int(said) if said.isdecimal() and len(said) <= 8 else LASTS


def _key(reader: Reader) -> str:
    return hashlib.sha256(str(reader).encode()).hexdigest()[:16]
