"""What the emitter needs of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from include.drive_backup.events.envelope import Event
from include.drive_backup.ports import BlobInfo


class EventSink(Protocol):
    """Where events go."""

    async def send(self, events: Sequence[Event]) -> None:
        """Deliver all, in order within a run; returning means that every one was acknowledged.

        May deliver an event more than once, always with the same id. Has a time limit of its own.

        :raises DriveBackupError: some or all were not acknowledged.
        """


class OutboxStore(Protocol):
    """Where events wait. Any :class:`~include.drive_backup.ports.BlobStore` is one."""

    async def put(self, name: str, data: bytes, *, content_type: str = ...) -> bool:
        """Create; false when the name is taken."""

    async def read(self, name: str) -> bytes | None:
        """The bytes, or None when there is no such name."""

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Names under a prefix in lexical order."""

    async def delete(self, names: Sequence[str]) -> object:
        """Delete by name; a missing one is no error."""
