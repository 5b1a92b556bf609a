"""The one request that commits a snapshot: the manifest is written while the lock is ours, or does not count."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from include.drive_backup.errors import SourceBusyError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.sound import is_sound
from include.drive_backup.manifest.void import write_void_record
from include.drive_backup.model import format_instant
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.work import put_once

_JSON = "application/json"
log = logging.getLogger(__name__)


class Possession(Protocol):
    """What a run has to have of its source to commit: the lock, see :class:`include.drive_backup.locking.SourceLock`.

    Both methods raise :class:`~include.drive_backup.errors.SourceBusyError` when it was lost.
    """

    async def confirm(self) -> None:
        """Look."""

    def ensure(self) -> None:
        """Make sure without a look, right before a request."""


class Unlocked:
    """Nobody deletes while this run commits."""

    async def confirm(self) -> None:
        """Nothing can be lost."""

    def ensure(self) -> None:
        """Nothing can be lost."""


async def commit_manifest(store: BlobStore, manifest: Manifest, lock: Possession, clock: Clock) -> bool:
    """Write a manifest, after all that it refers to was found in the container.

    :param lock: of the source: whoever else has it may delete what was found.
    :return: false when the name is taken: by another run, or by retention, which made the place void.
    :raises SourceBusyError: the lock was lost. Nothing was written; or what was is sound, and the next try finds it; or
        it is not, and is marked as void.
    """
    await lock.confirm()
    # Whoever is cancelled meanwhile, for having lost the lock say, first sees what became of a request under way.
    writing = asyncio.ensure_future(_write_and_look(store, manifest, lock, clock))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.gather(writing, return_exceptions=True)
        raise


async def _write_and_look(store: BlobStore, manifest: Manifest, lock: Possession, clock: Clock) -> bool:
    data, name = manifest.to_json(), manifest.name
    try:
        if not await put_once(store, name.manifest, data, content_type=_JSON, guard=lock.ensure):
            return False
        # No guard stops a request that is under way: after it, look whether the lock was ours all the time.
        await lock.confirm()
    except SourceBusyError:
        if await store.read(name.manifest) == data:
            await _mark_unless_sound(store, manifest, clock)
        raise
    return True


async def _mark_unless_sound(store: BlobStore, manifest: Manifest, clock: Clock) -> None:
    """Mark a manifest as void that was written after the lock was lost, if anything that it refers to is gone.

    One that is sound stays: retention may have counted on it already, and have deleted an earlier one for its sake.
    """
    name = manifest.name
    if await is_sound(store, name.manifest):
        log.warning("The lock was lost while %s was written; all that it refers to is there.", name.manifest)
        return
    log.warning("The lock was lost while %s was written, and content is missing: it is void.", name.manifest)
    reason = "The run lost the lock of its source while it wrote the manifest, and content is missing."
    await write_void_record(store, name, when=format_instant(clock.now()), run=manifest.run_id, reason=reason)
