"""One task of a random month as a process of its own, on a real container. The Drive is as it was at its start."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import DriveBackupError, SnapshotNotFoundError, SourceBusyError
from include.drive_backup.handover import PlanRef, SourceTask
from include.drive_backup.hindsight import look_back
from include.drive_backup.listing import list_source
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.planning.plan import plan_source
from include.drive_backup.protection import Reader, protected
from include.drive_backup.retention import holds
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source as plan_retention
from include.drive_backup.retention.rules import Policy
from include.drive_backup.transfer.batch import copy_batch
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_drive import FakeDrive
from tests.support.real_world import open_store

ANN = Source(kind="user", id="ann@example.com")
LIFETIME = timedelta(seconds=5)
#: Exit codes: the lock is another one's; the snapshot is not there; another error of the product; a crash.
BUSY, GONE, FAILED, CRASHED = 7, 8, 9, 1
#: Work areas of this age are deleted, so that a task that was stopped for long may find its own gone.
LEFTOVER_DAYS = 180 / 86_400


#: Of prctl(2).
DEATH_SIGNAL = 1


@dataclass
class Given:
    """What a process gets.

    :ivar out: where its answer goes, as JSON. ``events``: where it notes the manifests that it wrote.
    """

    what: str
    blob: str
    container: str
    holder: str
    now: datetime
    policy: Policy
    out: Path
    events: Path
    drive: FakeDrive | None = None
    task: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    manifest: str = ""
    tag: str = ""
    folder: Path | None = None


class SimulatedClock(SystemClock):
    """Real seconds from a simulated moment on."""

    def __init__(self, begin: datetime) -> None:
        self._begin, self._started = begin, self.monotonic()

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.monotonic() - self._started)


class Noting:
    """A container that notes each manifest, and what makes one void, after it was written."""

    def __init__(self, store: Any, events: Path) -> None:
        self._store, self._events = store, events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, name: str, data: bytes, **options: Any) -> bool:
        made = await self._store.put(name, data, **options)
        if made and name.startswith("snapshots/") and name.endswith(".json"):
            with self._events.open("a") as file:
                file.write(json.dumps([name, data.decode()]) + "\n")
        return bool(made)


class Task:
    """What a process has in hand."""

    def __init__(self, given: Given, store: Any) -> None:
        self.given, self.store = given, store
        self.clock = SimulatedClock(given.now)
        self.lock = SourceLock(store, ANN, given.holder, clock=self.clock, lifetime=LIFETIME)
        #: Rows that a restore has read.
        self.read = 0

    async def backup(self) -> dict[str, Any]:
        """List, plan and copy."""
        task = SourceTask.from_dict(self.given.task)
        drive: Any = self.given.drive
        async with holding(self.lock, self.clock):
            base = await SnapshotRepository(self.store).last_listing(task.snapshots)
            listing = await list_source(drive, self.store, task, self.clock, base)
            listing = await look_back(drive, self.store, listing)
            plan, batches = await plan_source(self.store, listing, export_formats={}, max_batches=3, clock=self.clock)
            options: dict[str, Any] = {"in_flight": 4, "memory_bytes": 2**28, "stop": asyncio.Event()}
            for batch in batches:
                await copy_batch(drive, self.store, batch, clock=self.clock, resume=True, **options)
        return plan.to_dict()

    async def commit(self) -> dict[str, Any]:
        """Commit what was copied."""
        async with holding(self.lock, self.clock, give_back=True) as held:
            return await commit_snapshot(self.store, PlanRef.from_dict(self.given.plan), self.clock, "test", held)

    async def retention(self) -> dict[str, Any]:
        """As the DAG does it."""
        policy = self.given.policy
        plan = await plan_retention(self.store, ANN, policy)
        done = await apply_source(
            self.store, plan, policy, self.lock, self.clock, approved=True, leftover_days=LEFTOVER_DAYS
        )
        return {"forgotten": done.forgotten, "held": done.held, "content": done.content.blobs}

    async def hold(self) -> dict[str, Any]:
        """A person holds a snapshot."""
        name = parse_snapshot(self.given.manifest)
        assert name is not None
        await holds.hold(self.store, name, self.given.tag)
        return {}

    async def restore(self) -> dict[str, Any]:
        """Write the files of a snapshot into a folder, by the names of their ids."""
        name, folder = parse_snapshot(self.given.manifest), self.given.folder
        assert name is not None
        assert folder is not None
        folder.mkdir(exist_ok=True)
        async with protected(self.store, self.clock, name, Reader(self.given.holder, "restored"), print):
            manifest = await SnapshotRepository(self.store).read(name)
            assert manifest is not None
            async for row in read_rows(self.store, manifest):
                for content in row["contents"] or ():
                    await self.clock.sleep(0.2)
                    data = b"".join([piece async for piece in self.store.stream(content["blob"])])
                    (folder / row["item_id"]).write_bytes(data)
                    self.read += 1
        return {"read": self.read}

    async def verify(self) -> dict[str, Any]:
        """Is everything there?"""
        async with protected(self.store, self.clock, ANN, Reader(self.given.holder, "verified"), print):
            names = await choose(self.store, ANN)
            found = await verify_source(self.store, names, "listing", now=self.clock.now(), keep_records=False)
        return {"damages": [str(damage) for damage in found.damages]}


async def _work(given: Given) -> tuple[int, dict[str, Any]]:
    async with open_store(given.blob, given.container, 30.0) as real:
        task = Task(given, Noting(real, given.events))
        do: Callable[[], Awaitable[dict[str, Any]]] = getattr(task, given.what)
        try:
            return 0, await do()
        except DriveBackupError as error:
            codes = {SourceBusyError: BUSY, SnapshotNotFoundError: GONE}
            said = {"error": f"{type(error).__name__}: {error}", "read": task.read}
            return codes.get(type(error), FAILED), said


def main(given: Given) -> None:
    """Run the task, write its answer, exit."""
    # Also one that is stopped goes with whoever started it.
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    logging.disable(logging.CRITICAL)
    try:
        code, said = asyncio.run(_work(given))
    except Exception:
        code, said = CRASHED, {"error": traceback.format_exc()}
    partly = given.out.with_suffix(".part")
    partly.write_text(json.dumps(said))
    partly.rename(given.out)
    sys.stdout.flush()
    os._exit(code)
