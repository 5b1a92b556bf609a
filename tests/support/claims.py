"""Nights of a fake Drive whose clients, workers and copiers claim all sorts of times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from include.drive_backup.manifest.manifest import Manifest
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import Entry

FIRST = at("2026-03-01")


def copy_container(store: MemoryBlobStore, moment: datetime) -> None:
    """What AzCopy makes of a container: the same bytes, names, types and metadata, at new times, in a new state."""
    for name, (data, info) in store.blobs.items():
        state = {"modified": moment} if info.etag is None else {"modified": moment, "etag": f"copy of {info.etag}"}
        store.blobs[name] = (data, replace(info, **state))


class Nights:
    """Each night's run begins ten minutes after midnight, or later.

    :param late: after midnight.
    """

    def __init__(self, *entries: Entry, late: timedelta = timedelta(minutes=10)) -> None:
        self.drive = FakeDrive(*entries)
        self.backup = Backup(self.drive)
        self.late = late
        self.day = 0

    def people(self, hours: float = 12.0) -> datetime:
        """Somebody does something, so many hours after the midnight of the last night; Drive's feed tells when."""
        self.drive.now = FIRST + timedelta(days=self.day - 1, hours=hours)
        return self.drive.now

    async def night(self, **settings: Any) -> dict[str, dict[str, Any]]:
        """The next night; its rows by id, each with its bytes as ``data``."""
        self.day += 1
        instant = FIRST + timedelta(days=self.day - 1)
        self.backup.clock.set(instant + self.late)
        return await self.rows(await self.backup.run(f"{instant:%Y-%m-%dT%H:%M}", **settings))

    async def rows(self, summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The rows of a snapshot by id, each with its bytes as ``data``."""
        self.summary = summary
        data, rows = await self.backup.restored(summary), await self.backup.rows(summary)
        return {ident: {**row, "data": data.get(ident)} for ident, row in rows.items()}

    async def manifest(self) -> Manifest:
        """That of the last snapshot."""
        return Manifest.from_json(await self.backup.store.read(self.summary["manifest"]) or b"")
