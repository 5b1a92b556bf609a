"""A whole backup, without Airflow: list, plan, copy, commit."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from include.drive_backup.handover import BatchRef, PlanRef, SourceTask
from include.drive_backup.hindsight import look_back
from include.drive_backup.listing import list_source
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import format_instant
from include.drive_backup.planning.plan import plan_source
from include.drive_backup.spent import recorded
from include.drive_backup.transfer.batch import copy_batch
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.memory_blob import MemoryBlobStore


class Backup:
    """Backs up a fake Drive into a container in memory, one run after the other."""

    def __init__(self, drive: FakeDrive, store: MemoryBlobStore | None = None, now: str = "2026-03-01T00:10") -> None:
        self.drive = drive
        self.store = store or MemoryBlobStore()
        self.clock = FakeClock(at(now))
        if store is None:
            self.store.clock = self.clock
        self.runs = 0

    async def run(self, instant: str = "2026-03-01", source: str = "user/ann@example.com", **settings: Any) -> Any:
        """List, plan, copy, commit; returns the commit's summary."""
        plan, batches = await self.plan(instant, source, **settings)
        for batch in batches:
            await self.copy(batch)
        return await self.commit(plan)

    async def proven(self, source: str = "user/ann@example.com", **settings: Any) -> Any:
        """Two runs a day apart, the second one now: its listing was held against the first, and needs no other."""
        now = self.clock.now()
        self.clock.set(now - timedelta(days=1))
        await self.run("2026-02-28", source, **settings)
        self.clock.set(now)
        return await self.run("2026-03-01", source, **settings)

    async def plan(
        self, instant: str = "2026-03-01", source: str = "user/ann@example.com", formats: Any = None, **settings: Any
    ) -> tuple[PlanRef, list[BatchRef]]:
        self.runs += 1
        task = SourceTask(source=source, instant=format_instant(at(instant)), run=f"run-{self.runs}", **settings)
        # Before the clock runs: while a real store answers, whoever sleeps by a false clock lets hours go by.
        base = await SnapshotRepository(self.store).last_listing(task.snapshots)
        async with recorded(self.drive, self.store, task, self.clock):
            listing = await list_source(self.drive, self.store, task, self.clock, base)
            listing = await look_back(self.drive, self.store, listing)
        return await plan_source(self.store, listing, export_formats=formats or {}, max_batches=50, clock=self.clock)

    async def copy(self, batch: BatchRef, *, resume: bool = False, **settings: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {"in_flight": 4, "memory_bytes": 2**28, "stop": asyncio.Event(), **settings}
        async with recorded(self.drive, self.store, batch.task, self.clock):
            return await copy_batch(self.drive, self.store, batch, clock=self.clock, resume=resume, **arguments)

    async def commit(self, plan: PlanRef) -> dict[str, Any]:
        return await commit_snapshot(self.store, plan, self.clock, "test")

    async def rows(self, summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The catalogue of a committed snapshot, by item id."""
        data = await self.store.read(summary["manifest"])
        assert data is not None
        rows = read_rows(self.store, Manifest.from_json(data))
        return {row["item_id"]: row async for row in rows}

    async def restored(self, summary: dict[str, Any]) -> dict[str, bytes]:
        """The bytes of each item that has content, as a reader of the snapshot finds them."""
        found = {}
        for ident, row in (await self.rows(summary)).items():
            for content in row["contents"] or ():
                data = b"".join([piece async for piece in self.store.stream(content["blob"])])
                assert len(data) == content["size"]
                found[ident] = data
        return found

    def written(self, moment: str) -> None:
        """Let all blobs have been written at a moment: the container in memory has a time of its own."""
        for name, (data, info) in self.store.blobs.items():
            self.store.blobs[name] = (data, replace(info, modified=at(moment)))

    def contents(self) -> list[str]:
        """The names of all content blobs."""
        return sorted(name for name in self.store.blobs if name.startswith("content/"))
