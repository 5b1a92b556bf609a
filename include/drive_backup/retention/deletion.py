"""The deletes of one source: after a look at the lock, the holds and the readers, with a guard before each request.

A process may be frozen between any look and what it protects. So the guard asks before each request whether the lock is
ours by the clock, and whether the last look for holds and readers is young enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from include.drive_backup.blob.errors import LEASED
from include.drive_backup.blob.names import content_prefix, snapshots_prefix
from include.drive_backup.errors import SourceBusyError, StoppedError
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.void import read_folders
from include.drive_backup.model import Refused, Source
from include.drive_backup.ports import BlobInfo, BlobStore, Clock, Guard
from include.drive_backup.protection import FENCE, WHOLE, read_readers
from include.drive_backup.retention.amount import Amount, chunks
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.retention.plan import is_older, kept_references, read_manifests, snapshot_of
from include.drive_backup.retention.rules import Policy

Result = TypeVar("Result")

#: Seconds after which holds and readers are looked for again.
_FRESH = FENCE / 2


class _LookAgain(Exception):  # noqa: N818 - it is not an error
    """The last look is too old to delete by it."""


class Deletion:
    """Deletes of one source, and remembers what could not be deleted.

    :param lock: of the source, which is ours.
    :param stop: set it to end soon.
    """

    def __init__(self, store: BlobStore, source: Source, lock: SourceLock, clock: Clock, stop: asyncio.Event) -> None:
        self.source = source
        self.held: list[str] = []
        self.refused: list[str] = []
        self._store, self._lock, self._clock, self._stop = store, lock, clock, stop
        self._looked = 0.0

    async def look(self) -> Collection[str]:
        """The places of the snapshots that are held or read now.

        :raises SourceBusyError: all of the source is being read.
        """
        looked = self._clock.monotonic()
        readers = await read_readers(self._store, self.source)
        if WHOLE in readers:
            raise SourceBusyError(f"{self.source} is {readers[WHOLE][0]}; this is tried again later.")
        kept = {*await read_holds(self._store, self.source), *readers}
        self._looked = looked
        return kept

    async def forget(self, keys: Sequence[str]) -> list[str]:
        """Delete manifests, oldest first; one that is refused is still a snapshot.

        One by one: whoever breaks this off leaves the newer ones.
        """
        return [key for key in keys if await self._forget(key)]

    async def _forget(self, key: str) -> bool:
        name = snapshot_of(self.source, key)
        refused = await self._refusals([BlobInfo(name=name.manifest, size=0)], unless=name.key)
        why = None if refused is None else refused.get(name.manifest)
        if refused is None or (why is not None and why.reason == LEASED):
            # Somebody holds or reads it; the service knows it even before we do.
            self.held.append(key)
            return False
        self._note(refused)
        return why is None

    async def parts(self, forgotten: Sequence[str], policy: Policy) -> Amount:
        """Delete the catalogues of what is forgotten, and those that were never committed, once past the grace.

        What marks them as void stays for now: nothing may be committed there while content is deleted.
        """
        if policy.keep.empty:
            return Amount()
        before = await self._store.now() - policy.grace
        folders = await read_folders(self._store, snapshots_prefix(self.source))
        going = [
            info
            for name, folder in folders.items()
            if not folder.committed
            for info in folder.others
            if name.key in forgotten or is_older(info.modified, before)
        ]
        return await self.delete(going)

    async def content(self, policy: Policy) -> tuple[Amount, str | None]:
        """Delete what no snapshot that is left refers to, once past the grace; or say why not.

        Nothing goes when nobody has said what to keep.
        """
        if policy.keep.empty:
            return Amount(), None
        manifests, damaged = await read_manifests(self._store, self.source)
        references, blocked = await kept_references(self._store, manifests, damaged)
        done = Amount()
        if blocked is not None:
            return done, blocked
        before = await self._store.now() - policy.grace
        async for some in chunks(self._store.list(content_prefix(self.source))):
            unused = [info for info in some if info.name not in references and is_older(info.modified, before)]
            done += await self.delete(unused)
        return done, None

    async def marks(self, policy: Policy) -> Amount:
        """Delete what marks a snapshot as void where nothing else is left of it."""
        if policy.keep.empty:
            return Amount()
        folders = await read_folders(self._store, snapshots_prefix(self.source))
        return await self.delete([info for folder in folders.values() if not folder.others for info in folder.marks])

    async def delete(self, blobs: Sequence[BlobInfo]) -> Amount:
        """Delete, and remember what the service refuses."""
        if not blobs:
            return Amount()
        refused = await self._refusals(blobs) or {}
        self._note(refused)
        gone = [info for info in blobs if info.name not in refused]
        return Amount(blobs=len(gone), bytes=sum(info.size for info in gone))

    async def _refusals(self, blobs: Sequence[BlobInfo], unless: str | None = None) -> dict[str, Refused] | None:
        """Delete.

        :param unless: see :meth:`guarded`.
        :return: what the service refused; None: nothing was deleted.
        """
        return await self.guarded(
            lambda guard: self._store.delete([info.name for info in blobs], guard=guard), unless=unless
        )

    async def guarded(self, request: Callable[[Guard], Awaitable[Result]], unless: str | None = None) -> Result | None:
        """Send what cannot be undone, after a fresh look.

        :param request: gets the guard that is to be asked before each request; may be called again.
        :param unless: the place of a snapshot; if that is held or read, nothing is sent.
        :return: what the request gives; None: nothing was sent.
        :raises StoppedError: the task was asked to stop.
        """
        while True:
            if self._stop.is_set():
                raise StoppedError("The task was asked to stop; what is deleted is deleted, the next try goes on.")
            await self._lock.confirm()
            if unless in await self.look():
                return None
            try:
                return await request(self._guard)
            except _LookAgain:
                continue

    def _guard(self) -> None:
        self._lock.ensure()
        if self._clock.monotonic() - self._looked > _FRESH:
            raise _LookAgain

    def _note(self, refused: dict[str, Refused]) -> None:
        self.refused.extend(why.message for why in refused.values())
