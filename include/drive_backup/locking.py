"""The lock of a source: one run at a time writes its snapshots, or deletes them.

It is held by a run, not by a process, because a run is many tasks with gaps between them. A lease of Blob Storage
lasts a minute or for ever, so the lock is a row of numbered, create-only blobs instead: the one with the highest number
says who holds it, for :data:`LIFETIME` from the moment that Blob Storage wrote it, by Blob Storage's own clock.
docs/adr/0011 and 0020 have the reasons.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from include.drive_backup.blob.names import lock_name, lock_prefix
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import CorruptStoreError, DriveBackupError, SourceBusyError
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobInfo, BlobStore, Clock

log = logging.getLogger(__name__)

#: How long a lock holds after the run that holds it was last heard of.
LIFETIME = timedelta(minutes=10)
#: Seconds between two signs of life.
EVERY = 60.0
#: The share of a lock's life that is left when it is no longer relied on without a look.
_MARGIN = 0.1
_TRIES = 5
#: The numbers of a thousand years with a word a minute. The last one, or a larger one, would leave none after it.
_NUMBER = re.compile(r"(?!0999999999)0[0-9]{9}")

#: Told a holder, says whether its run is known to have ended, so that its lock is void.
HasEnded = Callable[[str], Awaitable[bool]]


class Turn(Struct, frozen=True):
    """The newest word on a lock.

    :param holder: None when it was given back.
    :param since: the number with which the holder's possession began; no other holder and no expiry lies in between.
    :param deletes: the holder deletes of the source.
    """

    number: int
    holder: str | None
    said: datetime
    since: int
    deletes: bool = False


class _Look(Struct, frozen=True):
    """What a look at the lock showed.

    :param asked: on our monotonic clock, before it.
    :param age: of the newest word, by Blob Storage's clock.
    """

    asked: float
    last: Turn | None
    age: timedelta


class SourceLock:
    """One holder's view of the lock of one source.

    It remembers its own last look: up to which moment the lock is ours for certain, and with which number. So a process
    that was frozen knows that too much time has passed, and that the same run has taken the lock again is not mistaken
    for never having lost it.

    :param holder: who holds it, the same in all tasks of a run, e.g. ``google_drive_backup/scheduled__2026-11-23``.
    :param has_ended: of another holder; None: unknown, so its lock holds to its end. Only backups may pass one.
    :param clock: whose monotonic seconds count; None: the real one.
    :param lifetime: the same for all who use the lock.
    """

    def __init__(
        self,
        store: BlobStore,
        source: Source,
        holder: str,
        has_ended: HasEnded | None = None,
        *,
        clock: Clock | None = None,
        lifetime: timedelta = LIFETIME,
    ) -> None:
        self._store = store
        self._has_ended = has_ended
        self._clock = clock or SystemClock()
        self._deletes = False
        self._number = -1
        self._deadline = -math.inf
        self.source = source
        self.holder = holder
        self.lifetime = lifetime

    def will_delete(self) -> None:
        """Say before :meth:`take` that the holder deletes: nobody may then take the lock before it has expired.

        :raises ValueError: this lock would itself be taken before another one has expired.
        """
        if self._has_ended is not None:
            raise ValueError("Whoever deletes waits until another holder's lock has expired.")
        self._deletes = True

    async def take(self) -> None:
        """Take the lock, or show that it is still ours: it then holds for another :data:`LIFETIME`.

        :raises SourceBusyError: another run holds it.
        """
        for _ in range(_TRIES):
            look = await self._look()
            if look.last is not None:
                await self._check(look.last, look.age)
            number = 0 if look.last is None else look.last.number + 1
            last = await self._say(number, self.holder, self._since(look, number))
            if last is not None:
                # Written after we looked, whichever task of the run wrote it.
                self._remember(last.number, look.asked, timedelta())
                return
        raise SourceBusyError(f"Many runs want {self.source} at once; this one is tried again later.")

    async def confirm(self) -> None:
        """Look whether the lock is ours and was so without a break, before something that cannot be undone.

        :raises SourceBusyError: it was lost. What was begun must end here.
        """
        look = await self._look()
        last = self._unbroken(look)
        self._remember(last.number, look.asked, look.age)
        if look.age > self.lifetime / 4:
            written = await self._say(last.number + 1, self.holder, last.since)
            if written is None or written.since > self._number:
                look = await self._look()
                self._remember(self._unbroken(look).number, look.asked, look.age)
            else:
                self._remember(written.number, look.asked, timedelta())

    def ensure(self) -> None:
        """Make sure, without a look, that nobody else can have the lock yet. Cheap: ask it before every request.

        :raises SourceBusyError: the last look is too long ago.
        """
        if self._clock.monotonic() >= self._deadline:
            raise self._lost()

    async def give_back(self) -> None:
        """Let others have the lock at once, if it is ours. Trouble with that is logged: the lock frees itself."""
        try:
            last = await self._last()
            if last is not None and last.holder == self.holder and last.since <= self._number:
                await self._say(last.number + 1, None, last.number + 1)
        except DriveBackupError as error:
            log.warning("The lock of %s could not be given back; it frees itself: %s", self.source, error)
        self._deadline = -math.inf

    def _since(self, look: _Look, number: int) -> int:
        """With which number the possession began that a new word goes on with."""
        last = look.last
        ours = last is not None and last.holder == self.holder and look.age < self.lifetime
        return last.since if last is not None and ours else number

    def _unbroken(self, look: _Look) -> Turn:
        last = look.last
        if last is None or last.holder != self.holder or look.age >= self.lifetime or last.since > self._number:
            self._deadline = -math.inf
            raise self._lost()
        return last

    def _remember(self, number: int, asked: float, age: timedelta) -> None:
        self._number = number
        # What is sent at the last moment must arrive before the lock expires.
        self._deadline = asked + (self.lifetime * (1 - _MARGIN) - age).total_seconds()

    def _lost(self) -> SourceBusyError:
        return SourceBusyError(
            f"The lock of {self.source} was lost: this process did not show for {self.lifetime} (h:mm:ss) that it is "
            "alive, or another run has taken the lock. It is tried again later."
        )

    async def _check(self, last: Turn, age: timedelta) -> None:
        if last.holder in (None, self.holder):
            return
        if age >= self.lifetime:
            log.warning("The lock of %s was left behind by %s, %s ago.", self.source, last.holder, age)
        elif not last.deletes and self._has_ended is not None and await self._has_ended(str(last.holder)):
            log.warning("The lock of %s is of %s, which has ended.", self.source, last.holder)
        else:
            raise SourceBusyError(
                f"{self.source} is held by another run, {last.holder}, last heard of {age.total_seconds():.0f} seconds "
                f"ago. Wait until it has ended; if it is dead, its lock frees itself {self.lifetime} (h:mm:ss) after "
                "that."
            )

    async def _look(self) -> _Look:
        asked = self._clock.monotonic()
        last = await self._last()
        age = timedelta() if last is None else await self._store.now() - last.said
        return _Look(asked=asked, last=last, age=age)

    async def _last(self) -> Turn | None:
        """The blob with the highest number."""
        last, prefix = None, lock_prefix(self.source)
        async for info in self._store.list(prefix, metadata=True):
            if _NUMBER.fullmatch(info.name.removeprefix(prefix)):
                last = _turn(info)
            else:
                # No run writes such a name, so none can hold the lock by it, and to pass it over lets in no second one.
                log.warning("'%s' is not a word on a lock, so it is passed over; delete it.", info.name)
        return last

    async def _say(self, number: int, holder: str | None, since: int) -> Turn | None:
        """Write the next number; the newest word, if it is this holder's, or None when another one was quicker."""
        metadata = {} if holder is None else {"holder": holder, "since": str(since)}
        if holder is not None and self._deletes:
            metadata["deletes"] = "yes"
        await self._store.put(lock_name(self.source, number), b"", metadata=metadata)
        # Whose the number is, and that it is the highest, only a look tells: see the ADR.
        last = await self._last()
        if last is None or (last.number, last.holder) != (number, holder):
            higher = last is not None and last.number > number and last.holder == self.holder == holder
            return last if higher else None
        await self._tidy(number)
        return last

    async def _tidy(self, number: int) -> None:
        # Only what lies below the highest number: a slow writer may still use a number that was deleted.
        newest = lock_name(self.source, number)
        prefix = lock_prefix(self.source)
        found = [info.name async for info in self._store.list(prefix) if info.name < newest]
        await self._store.delete([name for name in found if _NUMBER.fullmatch(name.removeprefix(prefix))])


def _turn(info: BlobInfo) -> Turn:
    number, since = info.name.rpartition("/")[2], info.metadata.get("since", "")
    if info.modified is None:
        raise CorruptStoreError(f"'{info.name}' is not a lock; delete it.")
    return Turn(
        number=int(number),
        holder=info.metadata.get("holder"),
        said=info.modified,
        since=int(since) if since.isdecimal() and len(since) <= 10 else int(number),
        deletes="deletes" in info.metadata,
    )


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
    every = min(EVERY, lock.lifetime.total_seconds() / 10)
    while True:
        await clock.sleep(every)
        try:
            await lock.confirm()
        except SourceBusyError:
            raise
        except DriveBackupError as error:
            log.warning("The lock of %s could not be renewed now: %s", lock.source, error)
