"""What the tries of one task have finished, so that the next try does only what is missing.

A task that has many things to do records each one that is done. The records of one go are a *generation*: a try goes
on with a generation that was not finished (a failed or killed try, a failed task that a person clears); after a
finished one it begins another, so that a cleared task really does its work again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Generic, Self, TypeVar

from include.drive_backup.errors import (
    CorruptStoreError,
    DriveBackupError,
    PermanentError,
    SourceBusyError,
    StoppedError,
    TransientError,
)
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.work import PartWriter, put_once, read_parts

log = logging.getLogger(__name__)

#: Seconds of work that a killed try may lose.
_SECONDS = 10.0
_NAMED = 3


class Record(Struct, frozen=True):
    """A row of a journal: what became of one source."""

    source: str

    @property
    def settled(self) -> bool:
        """False when a further try should do it again."""
        return True


Row = TypeVar("Row", bound=Record)
Task = TypeVar("Task")


class Journal(Generic[Row]):
    """An async context manager; only its end stores the last rows.

    :param prefix: of the task's records, with a slash at its end.
    """

    def __init__(self, store: BlobStore, prefix: str, row_type: type[Row], clock: Clock) -> None:
        self._store, self._prefix, self._row_type, self._clock = store, prefix, row_type, clock
        self.rows: dict[str, Row] = {}

    async def __aenter__(self) -> Self:
        generation, finished = await _newest(self._store, self._prefix)
        self._generation = generation + 1 if finished else generation
        try:
            self.rows = await _read(self._store, self._prefix, self._generation, self._row_type)
        except CorruptStoreError as error:
            log.warning("What earlier tries recorded cannot be read, so all of it is done again. %s", error)
            self._generation += 1
        self._begin()
        return self

    def _begin(self) -> None:
        token = secrets.token_hex(6)
        self._writer = PartWriter[Row](self._store, f"{self._prefix}{self._generation:03d}-{token}-")
        self._stored = self._clock.monotonic()

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()

    async def add(self, row: Row) -> None:
        """Record a row."""
        self.rows[row.source] = row
        await self._writer.write(row)
        if self._clock.monotonic() - self._stored >= _SECONDS:
            self._stored = self._clock.monotonic()
            await self._writer.flush()

    async def forget(self, sources: Collection[str]) -> None:
        """Take some sources for not done, though an earlier try settled them. The others go on in a new generation."""
        if not sources:
            return
        kept = [row for source, row in self.rows.items() if source not in sources]
        await self.finish()
        self._generation, self.rows = self._generation + 1, {}
        self._begin()
        for row in kept:
            await self.add(row)

    async def finish(self) -> None:
        """Say that all is done: a further try begins anew."""
        await self._writer.flush()
        await put_once(self._store, f"{self._prefix}{self._generation:03d}-done", b"", content_type="text/plain")


async def read_journal(store: BlobStore, prefix: str, row_type: type[Row]) -> list[Row]:
    """The rows of the newest generation, one per source."""
    generation, _ = await _newest(store, prefix)
    return list((await _read(store, prefix, generation, row_type)).values())


async def each_once(
    journal: Journal[Row],
    tasks: Iterable[tuple[str, Task]],
    do: Callable[[Task], Awaitable[Row]],
    *,
    at_once: int,
    stop: asyncio.Event | None = None,
) -> list[DriveBackupError]:
    """Do what the journal does not hold as settled, some at once; one that fails does not keep the others from it.

    :param tasks: each with its source.
    :param do: does one and returns its row.
    :param stop: when it is set, nothing further is begun.
    :return: what went wrong; :func:`raise_together` makes one error of it.
    """
    room, errors = asyncio.Semaphore(at_once), list[DriveBackupError]()

    async def one(task: Task) -> None:
        async with room:
            if stop is not None and stop.is_set():
                return
            try:
                await journal.add(await do(task))
            except DriveBackupError as error:
                errors.append(error)

    known = {source for source, row in journal.rows.items() if row.settled}
    await asyncio.gather(*(one(task) for source, task in tasks if source not in known))
    if stop is not None and stop.is_set():
        errors.append(StoppedError("The task was asked to stop; what is done is kept."))
    return errors


def raise_together(errors: Sequence[DriveBackupError], what: str) -> None:
    """Raise nothing, the only error, or one that stands for all and may be retried when one of them may.

    :param what: how many of what failed: ``3 of 50 sources could not be listed``.
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    kind: type[DriveBackupError] = PermanentError
    if any(isinstance(error, TransientError) for error in errors):
        # Waiting for others is no failure, however many of them there are.
        busy = all(isinstance(error, SourceBusyError) for error in errors)
        kind = SourceBusyError if busy else TransientError
    more = f" And {len(errors) - _NAMED} more." if len(errors) > _NAMED else ""
    raise kind(f"{what}: {' '.join(map(str, errors[:_NAMED]))}{more}", reason=errors[0].reason)


async def _newest(store: BlobStore, prefix: str) -> tuple[int, bool]:
    """The newest generation, 1 when there is none, and whether it is finished."""
    found = [info.name.removeprefix(prefix) async for info in store.list(prefix)]
    numbers = [int(match[1]) for name in found if (match := re.match(r"(\d{3,})-", name))]
    newest = max(numbers, default=1)
    return newest, f"{newest:03d}-done" in found


async def _read(store: BlobStore, prefix: str, generation: int, row_type: type[Row]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    async for row in read_parts(store, f"{prefix}{generation:03d}-", row_type):
        # Tries have no order in their names: what is settled counts, whoever recorded it.
        if row.source not in rows or row.settled:
            rows[row.source] = row
    return rows
