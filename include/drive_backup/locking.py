"""The lock of a source: one run at a time writes its snapshots, or deletes them.

It is held by a run, not by a process, because a run is many tasks with gaps between them. A lease of Blob Storage
lasts a minute or for ever, so the lock is a row of numbered, create-only blobs instead: the one with the highest number
says who holds it, for :data:`LIFETIME` from the moment that Blob Storage wrote it, by Blob Storage's own clock.
docs/adr/0011 has the reasons.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from include.drive_backup.blob.names import lock_name, lock_prefix
from include.drive_backup.errors import CorruptStoreError, DriveBackupError, SourceBusyError
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore, Clock

log = logging.getLogger(__name__)

#: How long a lock holds after the run that holds it was last heard of.
LIFETIME = timedelta(minutes=10)
#: Seconds between two signs of life.
EVERY = 60.0
_TRIES = 5
#: The numbers of a thousand years with a word a minute. A larger one would leave none after it.
_NUMBER = re.compile(r"0[0-9]{9}")

#: Told a holder, says whether its run is known to have ended, so that its lock is void.
HasEnded = Callable[[str], Awaitable[bool]]


class Turn(Struct, frozen=True):
    """The newest word on a lock. ``holder`` is None when it was given back."""

    number: int
    holder: str | None
    said: datetime


class SourceLock:
    """One holder's view of the lock of one source.

    :param holder: who holds it, the same in all tasks of a run, e.g. ``google_drive_backup/scheduled__2026-11-23``.
    :param has_ended: of another holder; None: nobody knows, so its lock holds to its end.
    """

    def __init__(self, store: BlobStore, source: Source, holder: str, has_ended: HasEnded | None = None) -> None:
        self._store = store
        self._has_ended = has_ended
        self.source = source
        self.holder = holder

    async def take(self) -> None:
        """Take the lock, or show that it is still ours: it then holds for another :data:`LIFETIME`.

        :raises SourceBusyError: another run holds it.
        """
        for _ in range(_TRIES):
            last = await self._last()
            if last is not None:
                await self._check(last)
            number = 0 if last is None else last.number + 1
            if await self._say(number, self.holder):
                return
        raise SourceBusyError(f"Many runs want {self.source} at once; this one is tried again later.")

    async def confirm(self) -> None:
        """Make sure that the lock is ours and was so without a break, before something that cannot be undone.

        :raises SourceBusyError: it was lost. What was begun must end here.
        """
        last = await self._last()
        now = await self._store.now()
        if last is None or last.holder != self.holder or now - last.said >= LIFETIME:
            raise SourceBusyError(
                f"The lock of {self.source} was lost: this run was not heard of for {LIFETIME} (h:mm:ss), or another "
                "one has taken it. It is tried again later."
            )
        if now - last.said > LIFETIME / 4:
            await self.take()

    async def give_back(self) -> None:
        """Let others have the lock at once, if it is ours. Trouble with that is logged: the lock frees itself."""
        try:
            last = await self._last()
            if last is not None and last.holder == self.holder:
                await self._say(last.number + 1, None)
        except DriveBackupError as error:
            log.warning("The lock of %s could not be given back; it frees itself: %s", self.source, error)

    async def _check(self, last: Turn) -> None:
        if last.holder in (None, self.holder):
            return
        age = await self._store.now() - last.said
        if age >= LIFETIME:
            log.warning("The lock of %s was left behind by %s, %s ago.", self.source, last.holder, age)
        elif self._has_ended is not None and await self._has_ended(str(last.holder)):
            log.warning("The lock of %s is of %s, which has ended.", self.source, last.holder)
        else:
            raise SourceBusyError(
                f"{self.source} is held by another run, {last.holder}, last heard of {age.total_seconds():.0f} seconds "
                f"ago. Wait until it has ended; if it is dead, its lock frees itself {LIFETIME} (h:mm:ss) after that."
            )

    async def _last(self) -> Turn | None:
        """The blob with the highest number."""
        last, prefix = None, lock_prefix(self.source)
        async for info in self._store.list(prefix, metadata=True):
            number = info.name.removeprefix(prefix)
            if not _NUMBER.fullmatch(number):
                # No run writes such a name, so none can hold the lock by it, and to pass it over lets in no second one.
                log.warning("'%s' is not a word on a lock, so it is passed over; delete it.", info.name)
                continue
            if info.modified is None:
                raise CorruptStoreError(f"'{info.name}' is no lock; delete it.")
            last = Turn(number=int(number), holder=info.metadata.get("holder"), said=info.modified)
        return last

    async def _say(self, number: int, holder: str | None) -> bool:
        """Write the next number; false when somebody else was quicker."""
        metadata = {} if holder is None else {"holder": holder}
        await self._store.put(lock_name(self.source, number), b"", metadata=metadata)
        # Whose the number is, and that it is the highest, only a look tells: see the ADR.
        last = await self._last()
        if last is None or (last.number, last.holder) != (number, holder):
            return last is not None and last.number > number and last.holder == self.holder == holder
        await self._tidy(number)
        return True

    async def _tidy(self, number: int) -> None:
        # Only what lies below the highest number: a slow writer may still use a number that was deleted.
        newest = lock_name(self.source, number)
        prefix = lock_prefix(self.source)
        found = [info.name async for info in self._store.list(prefix) if info.name < newest]
        await self._store.delete([name for name in found if _NUMBER.fullmatch(name.removeprefix(prefix))])


@asynccontextmanager
async def holding(lock: SourceLock, clock: Clock, *, give_back: bool = False) -> AsyncIterator[SourceLock]:
    """Hold a lock while the block runs, and stop the block when the lock is lost.

    :param give_back: at the end, whatever it is. Else the lock stays the run's, for its next task.
    :raises SourceBusyError: another run has it; the block was not begun, or was cancelled.
    """
    await lock.take()
    owner, losses = asyncio.current_task(), list[SourceBusyError]()
    if owner is None:
        raise RuntimeError("A lock is held by a task of an event loop.")

    async def watch() -> None:
        try:
            await _stay_alive(lock, clock)
        except SourceBusyError as error:
            losses.append(error)
            owner.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield lock
    except asyncio.CancelledError:
        if losses and owner.uncancel() == 0:
            raise losses[0] from None
        raise
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        if give_back:
            await lock.give_back()


async def _stay_alive(lock: SourceLock, clock: Clock) -> None:
    """Show each minute that the run lives.

    :raises SourceBusyError: the lock was lost.
    """
    while True:
        await clock.sleep(EVERY)
        try:
            await lock.confirm()
        except SourceBusyError:
            raise
        except DriveBackupError as error:
            log.warning("The lock of %s could not be renewed now: %s", lock.source, error)
