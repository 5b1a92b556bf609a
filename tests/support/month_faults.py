"""Faults that were once in the code, or whose fence is taken away: each must turn a random month red."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.drive_backup import hindsight, protection
from include.drive_backup.blob import metadata
from include.drive_backup.clock import StoreClock
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest import point
from include.drive_backup.model import Look
from include.drive_backup.planning import plan as planning
from include.drive_backup.planning import stored
from include.drive_backup.planning.sightings import Sightings, was_head
from include.drive_backup.retention import apply, deletion, judging
from include.drive_backup.retention.deletion import Deletion
from tests.support.memory_blob import MemoryBlobStore


async def _nothing(*_arguments: Any, **_options: Any) -> None:
    """Do nothing."""


async def _none(*_arguments: Any, **_options: Any) -> dict[str, Any]:
    """Find none."""
    return {}


def _no_guard(*_arguments: Any) -> None:
    """Let everything pass."""


def holder_only(patch: pytest.MonkeyPatch) -> None:
    """The lock compares the holder's name, which all tries of a run share, and nothing fences the commit."""

    def unbroken(self: SourceLock, look: Any) -> Any:
        if look.last is None or look.last.holder != self.holder:
            raise self._lost()
        return look.last

    patch.setattr(SourceLock, "_unbroken", unbroken)
    patch.setattr(SourceLock, "ensure", _no_guard)
    patch.setattr(apply, "void_uncommitted", _nothing)


def no_guard(patch: pytest.MonkeyPatch) -> None:
    """One look covers all requests that follow it."""
    patch.setattr(SourceLock, "ensure", _no_guard)
    patch.setattr(Deletion, "_guard", _no_guard)


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """``hold`` succeeds while retention deletes that very manifest."""

    async def lease(self: MemoryBlobStore, name: str, *, seconds: int | None = None, epoch: int = 0) -> bool:
        return name in self.blobs

    patch.setattr(MemoryBlobStore, "lease", lease)


def readers_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks who reads."""
    patch.setattr(deletion, "read_readers", _none)
    patch.setattr(judging, "read_readers", _none)


def holds_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks who holds."""
    patch.setattr(deletion, "read_holds", _none)
    patch.setattr(judging, "read_holds", _none)


def not_registered(patch: pytest.MonkeyPatch) -> None:
    """Readers protect nothing."""

    async def register(store: Any, what: Any, reader: Any, seconds: int = 0) -> str:
        return "reading/none"

    patch.setattr(protection, "register", register)


def no_last_look(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the lock after the manifest is written."""
    patch.setattr(point, "write_void_record", _nothing)


def no_lock(patch: pytest.MonkeyPatch) -> None:
    """Everybody may have it."""
    patch.setattr(SourceLock, "_check", _nothing)


def both(*faults: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
    """Several at once, where each is covered by the other's fence."""

    def put_back(patch: pytest.MonkeyPatch) -> None:
        for fault in faults:
            fault(patch)

    return put_back


def own_clocks(patch: pytest.MonkeyPatch) -> None:
    """Each worker believes its own clock."""

    async def of(store: Any, clock: Any = None) -> Any:
        return clock

    patch.setattr(StoreClock, "of", of)


def copies_are_seen(patch: pytest.MonkeyPatch) -> None:
    """When a blob was written is when its content was seen."""
    patch.setattr(metadata, "_read", lambda info: info.modified)


def clients_are_believed(patch: pytest.MonkeyPatch) -> None:
    """No time that a client sets is ever in doubt."""
    patch.setattr(Sightings, "doubt", lambda *_: None)


def no_sightings(patch: pytest.MonkeyPatch) -> None:
    """That another version was read meanwhile says nothing of when a version came."""
    patch.setattr(stored, "was_head", lambda version, instant, *_: was_head(version, instant, (), Look()))


def late_nights_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A snapshot that was made late tells nothing to later ones."""
    first = hindsight._first

    async def on_time(repository: Any, names: Any, fits: Any) -> Any:
        return await first(repository, names, lambda found: found.kind != "as-of" and fits(found))

    patch.setattr(hindsight, "_first", on_time)


def nothing_before(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks what a snapshot of before has."""
    patch.setattr(planning, "looks_before", _none)
