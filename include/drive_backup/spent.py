"""What a run spends, counted while it is spent, by every try of every task, also of those that fail or are killed.

Each try keeps its running sum in one blob of the run's work area: a blob without bytes whose metadata are the numbers.
Every few seconds the next one replaces it. So a SIGKILL loses the last seconds at most, and one listing reads them all.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from include.drive_backup.blob.names import work_prefix
from include.drive_backup.errors import DriveBackupError
from include.drive_backup.handover import SourceTask
from include.drive_backup.model import ApiUse, Source, Struct
from include.drive_backup.ports import BlobStore, Clock, Drive
from include.drive_backup.values import read_integer

log = logging.getLogger(__name__)

#: Seconds between two records of a running sum; a SIGKILL loses what was spent since the last one.
EVERY = 10.0


class Spent(Struct, frozen=True):
    """Calls, quota units and bytes of content that were had of Drive, and write requests to Blob."""

    calls: int = 0
    units: int = 0
    bytes: int = 0
    writes: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(**{key: getattr(self, key) + getattr(other, key) for key in self.__struct_fields__})

    def __sub__(self, other: Spent) -> Spent:
        return Spent(**{key: getattr(self, key) - getattr(other, key) for key in self.__struct_fields__})

    def __bool__(self) -> bool:
        return self != Spent()

    @property
    def api(self) -> ApiUse:
        """The part that was spent on Drive."""
        return ApiUse(calls=self.calls, units=self.units, bytes=self.bytes)

    @classmethod
    def of(cls, drive: Drive, store: BlobStore) -> Spent:
        """What a task's own Drive and container have been asked for so far."""
        use = drive.use
        return cls(calls=use.calls, units=use.units, bytes=use.bytes, writes=store.writes)


class RunningSum:
    """One writer's sum under a prefix.

    :param prefix: shared by all writers whose sums belong together.
    :param labels: further metadata, the same for all of this writer's blobs.
    """

    def __init__(self, store: BlobStore, prefix: str, labels: dict[str, str] | None = None) -> None:
        self._store = store
        self._name = f"{prefix}{secrets.token_hex(6)}"
        self._labels = labels or {}
        #: Writes that the sum itself has taken.
        self.writes = 0
        self._stored: Spent | None = None
        self._old: list[str] = []

    async def record(self, spent: Spent) -> None:
        """Store the sum as it is now, unless it is stored already."""
        if spent == self._stored:
            return
        # The number is used up whatever comes of it: a write that was cut off may have been made.
        self.writes += 1
        name = f"{self._name}-{self.writes:08d}"
        values = {key: str(getattr(spent, key)) for key in spent.__struct_fields__}
        await self._store.put(name, b"", metadata={**self._labels, **values})
        old, self._old, self._stored = self._old, [name], spent
        await self._store.delete(old)


async def read_sums(store: BlobStore, prefix: str) -> list[tuple[Spent, dict[str, str]]]:
    """The latest sum of every writer under a prefix, each with its metadata."""
    latest: dict[str, dict[str, str]] = {}
    async for info in store.list(prefix, metadata=True):
        writer, _, _ = info.name.rpartition("-")
        latest[writer] = info.metadata
    return [(_spent(metadata), metadata) for metadata in latest.values()]


def _spent(metadata: dict[str, str]) -> Spent:
    values = {key: read_integer(metadata.get(key)) for key in Spent.__struct_fields__}
    return Spent(**{key: value for key, value in values.items() if value is not None})


@asynccontextmanager
async def recorded(drive: Drive, store: BlobStore, task: SourceTask, clock: Clock) -> AsyncIterator[None]:
    """Keep the books of one try while the block runs. Trouble with them never fails the task."""
    running = RunningSum(store, _prefix(task))
    begun = Spent.of(drive, store)

    async def record() -> None:
        try:
            # Without the writes of the books: else each record would make another one necessary.
            await running.record(Spent.of(drive, store) - begun - Spent(writes=running.writes))
        except DriveBackupError as error:
            log.warning("What this task spends could not be recorded; the manifest will show less: %s", error)

    async def keep() -> None:
        while True:
            await clock.sleep(EVERY)
            await record()

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await record()


async def spent_by_run(store: BlobStore, task: SourceTask) -> Spent:
    """What all tries of all tasks have spent on one source in one run so far."""
    return sum((spent for spent, _ in await read_sums(store, _prefix(task))), Spent())


def _prefix(task: SourceTask) -> str:
    return f"{work_prefix(Source.parse(task.source), task.run, 'spent')}/"
