"""Where the persons are written down: ``people/00000001.json`` and so on, of which the last one holds.

The blobs are numbered and create-only. Who writes has read the one before. The service lets one writer have a number,
so no writer undoes another's work. The earlier ones stay: they tell who changed what, and when.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from include.drive_backup.errors import CorruptStoreError, SourceBusyError
from include.drive_backup.identity.people import People, Person
from include.drive_backup.model import Struct, format_instant
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.values import decode_json

PREFIX = "people/"
_NAME = re.compile(rf"{PREFIX}([0-9]{{8}})\.json")
_TRIES = 10


class Registered(Struct, frozen=True):
    """One blob. ``by``: the run, or the command, that wrote it; ``at``: when; ``note``: why, if a person said so."""

    persons: tuple[Person, ...]
    by: str
    at: str
    note: str = ""


async def read_people(store: BlobStore) -> tuple[int, People]:
    """The number of the last blob, 0 for none, and the persons.

    :raises CorruptStoreError: it cannot be read, or is gone each time it was listed. To go on without it could store
        one person's files as another's.
    """
    for _ in range(_TRIES):
        number = await _last(store)
        if number == 0:
            return 0, People()
        data = await store.read(_name(number))
        if data is not None:
            return number, _people_of(number, data)
        # Somebody deleted it since it was listed, so that the one before it holds. That nobody is known is not so.
    raise CorruptStoreError(
        f"The blob {_name(number)}, which says whose source is whose, is listed and cannot be found. "
        "Look who deletes blobs under people/, then try again."
    )


async def _last(store: BlobStore) -> int:
    numbers = [int(found[1]) async for info in store.list(PREFIX) if (found := _NAME.fullmatch(info.name))]
    return max(numbers, default=0)


def _people_of(number: int, data: bytes) -> People:
    try:
        return People(decode_json(data, Registered).persons)
    except ValueError as error:
        raise CorruptStoreError(
            f"The blob {_name(number)}, which says whose source is whose, cannot be read: {error}. Restore it from a "
            "version that the account keeps, or delete it so that the one before it holds."
        ) from error


async def write_people(store: BlobStore, number: int, people: People, by: str, clock: Clock, *, note: str = "") -> bool:
    """Write the persons down as what follows a number; false when somebody else did so first."""
    record = Registered(persons=tuple(people), by=by, at=format_instant(clock.now()), note=note)
    data, name = msgspec.json.encode(record), _name(number + 1)
    # A request that was sent twice may find its own blob there.
    return await store.put(name, data, content_type="application/json") or await store.read(name) == data


async def change_people(
    store: BlobStore, change: Callable[[People], object], by: str, clock: Clock, *, note: str = ""
) -> People:
    """Read, change and write; again when somebody else wrote meanwhile.

    :raises SourceBusyError: others write all the time.
    """
    for _ in range(_TRIES):
        number, people = await read_people(store)
        change(people)
        if await write_people(store, number, people, by, clock, note=note):
            return people
    raise SourceBusyError("Others write down who is who all the time. Run the command again.")


def _name(number: int) -> str:
    return f"{PREFIX}{number:08d}.json"
