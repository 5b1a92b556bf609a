"""Faults that were once in the code, or whose fence is taken away: each must turn a random month red."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.drive_backup import protection
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest import point
from include.drive_backup.retention import apply, deletion, plan
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

    async def lease(self: MemoryBlobStore, name: str, *, seconds: int | None = None) -> bool:
        return name in self.blobs

    patch.setattr(MemoryBlobStore, "lease", lease)


def readers_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks who reads."""
    patch.setattr(deletion, "read_readers", _none)
    patch.setattr(plan, "read_readers", _none)


def holds_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks who holds."""
    patch.setattr(deletion, "read_holds", _none)
    patch.setattr(plan, "read_holds", _none)


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
