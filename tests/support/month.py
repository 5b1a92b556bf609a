"""A month of one Drive in virtual time: jobs, narrowed runs, backfills, retention, holds, restores, frozen processes.

Whatever happens in it is drawn from a seed. At the end no snapshot that is called complete may lack anything, and all
that a kept rule promises must be there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from include.drive_backup.blob.names import SnapshotName, parse_snapshot
from include.drive_backup.clock import StoreClock
from include.drive_backup.errors import DriveBackupError, SnapshotNotFoundError, SourceBusyError
from include.drive_backup.handover import BatchRef, PlanRef, SourceTask
from include.drive_backup.hindsight import look_back
from include.drive_backup.listing import list_source
from include.drive_backup.locking import LIFETIME, SourceLock, holding
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source, format_instant
from include.drive_backup.planning.plan import plan_source
from include.drive_backup.protection import Reader, protected
from include.drive_backup.retention import holds
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source as plan_retention
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.transfer.batch import copy_batch
from include.drive_backup.verification.run import choose, verify_source
from tests.support.claims import copy_container
from tests.support.fake_drive import FakeDrive
from tests.support.gates import Gate, GatedStore, Killed, after, at
from tests.support.memory_blob import MemoryBlobStore
from tests.support.month_claims import Claims, Version, claimed
from tests.support.month_truth import Promise, Truth
from tests.support.trees import file
from tests.support.virtual_time import VirtualClock

ANN = Source(kind="user", id="ann@example.com")
DAYS = 28
FILES = 9
POLICIES = [
    Policy(keep=keep, grace_days=0.25, brake_percent=100)
    for keep in (Keep(daily=7, weekly=2), Keep(daily=2), Keep(last=2), Keep(daily=3, monthly=1))
]
#: What each series selects: name to globs.
SELECTIONS = {
    "default": (),
    "noon": ("*.txt",),
    Series.narrowed_name("default", "md"): ("*.md",),
    Series.narrowed_name("default", "0"): ("0.*",),
}
NARROWED = [name for name in SELECTIONS if "~" in name]
#: The requests at which a process is often stopped, by what it does.
POINTS: dict[str, list[tuple[str, str]]] = {
    "commit": [("put", "/manifest.json")],
    "retention": [("delete", "content/"), ("delete", "/manifest.json"), ("list", "content/")],
    "hold": [("put", "holds/"), ("head", "/manifest.json")],
    "list": [],
    "plan": [],
    "copy": [],
}
#: Seconds that a delete may be under way: less than what the lock and the leases leave.
SLOW = 25.0
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

Step = Callable[[GatedStore], Awaitable[Any]]


class Month:
    """One month; run it in a :class:`~tests.support.virtual_time.VirtualLoop`."""

    def __init__(self, seed: int, *, one_series: bool = False) -> None:
        """:param one_series: the fault that series mend: all runs are of the job's series, whatever they select."""
        self._one_series = one_series
        self.random = random.Random(seed)
        self.claims = Claims(self.random)
        #: so long each nightly run waits before it begins: in each third month far too long
        self._queue = 2.5 * HOUR if seed % 3 == 2 else 0.0
        self.policy = self.random.choice(POLICIES)
        self.clock = VirtualClock()
        self.drive = FakeDrive(page=5)
        self.store = MemoryBlobStore()
        self.store.clock = self.clock
        self.truth = Truth()
        self.store.fault = self._watch
        self.log: list[str] = []
        self._gates: list[Gate] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._people: list[asyncio.Future[None]] = []
        self._runs = 0
        self._writes = 0
        for number in range(FILES):
            self._add(number)

    def _watch(self, phase: str, operation: str, name: str) -> None:
        """Note what is committed, and what is made void."""
        if (phase, operation) != ("after", "put") or not name.startswith("snapshots/"):
            return
        self.truth.written(name, self.store.blobs[name][0])

    @property
    def problems(self) -> list[str]:
        """What was found; empty when all is well."""
        return self.truth.problems

    # what people do in Drive

    def _add(self, number: int) -> None:
        ident, name = f"id{number}", f"{number}.{('txt', 'md', 'bin')[number % 3]}"
        self._writes += 1
        content = f"{name} {self._writes}".encode() * 5
        moment = self.drive.now = self.clock.now() - timedelta(seconds=5)
        known = self.truth.versions.setdefault(ident, [])
        created, modified = self.claims.created(moment), self.claims.modified(moment, known)
        # Drive gives no id twice; here one may return, but never with a count of changes that it had.
        counted = {"id": ident, "version": str(1_000 * self._writes)}
        self.drive.add(file(name, content, createdTime=created, modifiedTime=modified, **counted))
        known.append(Version(content, moment, claim=claimed(modified), created=claimed(created)))

    def edit(self) -> None:
        """Somebody adds, changes or deletes a file; an old version may come back."""
        ident = f"id{self.random.randrange(FILES + 3)}"
        known = self.truth.versions.get(ident, [])
        there = ident in self.drive.items
        now = self.clock.now()
        if not there:
            self._add(int(ident[2:]))
            return
        known[-1].until = now
        if self.random.random() < 0.2:
            self.drive.now = now
            self.drive.delete(ident)
            return
        self._writes += 1
        again = self.random.random() < 0.6
        content = self.random.choice(known[-5:]).content if again else f"{ident} {self._writes}".encode() * 5
        self._write(ident, content, now)
        if self.random.random() < 0.3:
            # Before any run has seen that.
            self._people.append(asyncio.ensure_future(self._at(4 * HOUR, lambda: self._once_more(ident))))

    async def _once_more(self, ident: str) -> None:
        if ident in self.drive.items:
            self._writes += 1
            self.truth.versions[ident][-1].until = now = self.clock.now()
            self._write(ident, f"{ident} {self._writes}".encode() * 5, now)

    def _put_back(self) -> None:
        """Somebody puts earlier versions of many files back."""
        for ident, known in self.truth.versions.items():
            if ident in self.drive.items and len(known) > 1 and self.random.random() < 0.7:
                known[-1].until = now = self.clock.now()
                self._write(ident, self.random.choice(known[-4:-1]).content, now)

    def _write(self, ident: str, content: bytes, now: datetime) -> None:
        known = self.truth.versions[ident]
        self.drive.now, modified = now, self.claims.modified(now, known)
        self.drive.write(ident, content, modified)
        self.drive.past[ident][-1][0]["keepForever"] = self.random.random() < 0.5
        known.append(Version(content, now, claim=claimed(modified), created=known[-1].created))

    async def _copied(self) -> None:
        """Somebody copies the container elsewhere, goes on with the copy, and asks for times that are over."""
        now = self.clock.now()
        copy_container(self.store, now)
        self.log.append(f"{self._now()} the container was copied")
        lives = [(each.since, each.until) for known in self.truth.versions.values() for each in known if each.until]
        recent = [(until - since, since) for since, until in lives if now - until < timedelta(days=8)]
        # No run has seen the shortest ones.
        for life, since in sorted(recent)[:3]:
            await self.back_up("default", since + life / 2)

    # processes

    def process(self, what: str) -> tuple[GatedStore, Gate]:
        """A new process; some are stopped somewhere, for minutes or days, or killed: often where it matters."""
        points = POINTS[what.rpartition(" ")[2]]
        point = None
        if self.random.random() < (0.5 if points else 0.1):
            operation, part = self.random.choice([*points, ("", "")])
            number = self.random.randrange(3 if part else 40)
            point = at(operation, part, number) if part else after(number)
        kind = "kill" if self.random.random() < 0.2 else "freeze"
        late = self.random.random() < 0.3
        gate = Gate(point, kind, late=late, latency=lambda: self.random.random() * 4, travel=self._travel)
        self._gates.append(gate)
        return GatedStore(self.store, gate), gate

    def _travel(self, name: str) -> float:
        """How long a delete is under way; at that very moment people want what is about to go."""
        manifest = parse_snapshot(name) if name.endswith("/manifest.json") else None
        if manifest is None or self.random.random() < 0.6:
            return 0.0
        action = self.random.choice([self.hold, self.hold, self.restore])
        self._people.append(asyncio.ensure_future(self._at(0.0, lambda: action(manifest))))
        return SLOW * self.random.random()

    async def step(self, what: str, do: Step) -> Any:
        """A task with retries: one that is frozen is taken for dead, one that has to wait is tried again."""
        sleeping: list[Gate] = []
        for _ in range(8):
            store, gate = self.process(what)
            for earlier in sleeping:
                # The one that was taken for dead wakes up beside the one that took its place.
                if self.random.random() < 0.5:
                    within = self.random.choice([15.0, 2 * MINUTE])
                    asyncio.get_running_loop().call_later(self.random.random() * within, earlier.thaw)
            task = self._spawn(do(store))
            waiter = asyncio.create_task(gate.frozen.wait())
            done, _pending = await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            if task not in done:
                self.log.append(f"{self._now()} {what}: frozen")
                self._thaw_later(gate)
                sleeping.append(gate)
                if what == "retention":
                    # What it is about to delete is wanted again by the next backup, which does not wait for it.
                    self._put_back()
                    self._people.append(asyncio.ensure_future(self._at(2 * LIFETIME.total_seconds(), self._nightly)))
                if what.endswith("commit") and self.random.random() < 0.5:
                    # A person starts retention, right after the lock of the frozen one has expired.
                    self._people.append(asyncio.ensure_future(self._at(LIFETIME.total_seconds() + MINUTE, self.retain)))
                # So long Airflow takes to see that a task is dead, and begins it again.
                await asyncio.wait({task}, timeout=self.random.choice([20 * MINUTE, 2 * HOUR, 5 * HOUR]))
            if task.done():
                error = task.exception()
                if error is None:
                    return task.result()
                self.log.append(f"{self._now()} {what}: {type(error).__name__}")
                if not isinstance(error, SourceBusyError | Killed):
                    raise error
            await self.clock.sleep(self.random.choice([MINUTE, 5 * MINUTE, 20 * MINUTE]))
        raise SourceBusyError(f"{what} gave up.")

    def _thaw_later(self, gate: Gate) -> None:
        seconds = self.random.choice([5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY])
        asyncio.get_running_loop().call_later(seconds, gate.thaw)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        return task

    def _now(self) -> str:
        return f"{self.clock.now():%m-%d %H:%M}"

    # what Airflow does

    async def back_up(self, series: str, instant: datetime) -> None:
        """A run: list, plan, copy, commit, each a task of its own."""
        self._runs += 1
        holder = f"backup/{self._runs}"
        task = SourceTask(
            source=str(ANN),
            series="default" if self._one_series else series,
            instant=format_instant(instant),
            run=f"run-{self._runs}",
            include=SELECTIONS[series],
        )

        def lock(store: GatedStore) -> SourceLock:
            return SourceLock(store, ANN, holder, clock=self.clock)

        async def listing(store: GatedStore) -> tuple[Any, datetime, str | None]:
            async with holding(lock(store), self.clock):
                begin, before = self.clock.now(), await self._over_at(task)
                base = await SnapshotRepository(store).last_listing(task.snapshots)
                found = await list_source(self.drive, store, task, await self._time(store), base)
                return await look_back(self.drive, store, found), begin, before

        async def planning(store: GatedStore) -> Any:
            return await plan_source(store, found, export_formats={}, max_batches=3, clock=await self._time(store))

        async def copy(store: GatedStore, batch: BatchRef) -> Any:
            async with holding(lock(store), self.clock):
                options: dict[str, Any] = {"in_flight": 4, "memory_bytes": 2**28, "stop": asyncio.Event()}
                options["clock"] = await self._time(store)
                return await copy_batch(self.drive, store, batch, resume=True, **options)

        async def commit(store: GatedStore, plan: PlanRef, listed: tuple[datetime, datetime]) -> None:
            async with holding(lock(store), self.clock, give_back=True) as held:
                summary = await commit_snapshot(store, plan, await self._time(store), "test", held)
            self._said(summary, listed, task, before)

        found, begin, before = await self.step(f"{series} list", listing)
        listed = (begin, self.clock.now())
        plan, batches = await self.step(f"{series} plan", planning)
        for batch in batches:
            await self.step(f"{series} copy", lambda store, batch=batch: copy(store, batch))
        await self.step(f"{series} commit", lambda store: commit(store, plan, listed))

    async def _time(self, store: GatedStore) -> StoreClock:
        """As a worker tells it, whose own clock may be wrong."""
        return await StoreClock.of(store, self.claims.clock())

    async def _over_at(self, task: SourceTask) -> str | None:
        """The latest complete snapshot that was over at the instant of a run."""
        repository = SnapshotRepository(self.store)
        for name in reversed(await repository.names(task.snapshots)):
            found = await repository.try_read(name) if name.instant < task.instant else None
            if found is not None and found.status == "complete" and found.ended <= task.instant:
                return name.manifest
        return None

    def _said(
        self, summary: dict[str, Any], listed: tuple[datetime, datetime], task: SourceTask, before: str | None
    ) -> None:
        self.log.append(f"{self._now()} {summary['manifest']}: {summary['status']}, created {summary['created']}")
        if summary["status"] == "complete" and summary["created"]:
            self.truth.promises[summary["manifest"]] = Promise(summary["manifest"], listed, task.include, before)

    async def retain(self) -> None:
        """Retention, as the DAG does it."""

        async def apply(store: GatedStore) -> None:
            plan = await plan_retention(store, ANN, self.policy)
            lock = SourceLock(store, ANN, f"retention/{self.random.random()}", clock=self.clock)
            await apply_source(store, plan, self.policy, lock, self.clock, approved=True, leftover_days=20)

        await self.step("retention", apply)

    async def _any(self) -> SnapshotName | None:
        """Any snapshot, often one of the oldest."""
        names = await SnapshotRepository(self.store).names(ANN)
        return self.random.choice([*names[:2], *names]) if names else None

    async def hold(self, name: SnapshotName | None = None) -> None:
        """A person holds a snapshot, and releases it days later."""
        name = name or await self._any()
        if name is None:
            return
        tag = f"case-{self.random.randrange(10**6)}"

        async def place(store: GatedStore) -> None:
            await holds.hold(store, name, tag)

        try:
            await self.step("hold", place)
        except SnapshotNotFoundError:
            return
        self.truth.held.add((name.manifest, tag))
        await self.clock.sleep(self.random.choice([DAY, 5 * DAY, 20 * DAY, 40 * DAY]))
        self.truth.held.discard((name.manifest, tag))
        if not await SnapshotRepository(self.store).is_there(name):
            self.truth.problems.append(f"{name.key} was held by {tag}, and is gone")
        await holds.release(self.store, name, tag)

    async def restore(self, name: SnapshotName | None = None) -> None:
        """Somebody restores any snapshot, and takes hours for it."""
        name = name or await self._any()
        if name is None:
            return
        reader = Reader(who=f"restore/{self.random.random()}", doing="restored")
        read = 0
        try:
            async with protected(self.store, self.clock, name, reader, self.truth.problems.append):
                manifest = await SnapshotRepository(self.store).read(name)
                assert manifest is not None
                rows = [row async for row in read_rows(self.store, manifest)]
                for row in rows:
                    await self.clock.sleep(self.random.choice([MINUTE, HOUR, 3 * HOUR]))
                    await self.truth.check_row(self.store, f"restoring {name.key}", row)
                    read += 1
        except SnapshotNotFoundError:
            if read:
                self.truth.problems.append(f"{name.key} was deleted while it was restored")

    async def verify(self) -> None:
        """Verification of everything finds no damage, for nobody does any."""
        names = await choose(self.store, ANN)
        found = await verify_source(self.store, names, "listing", now=self.clock.now(), keep_records=False)
        self.truth.problems += [f"{self._now()} verification: {damage}" for damage in found.damages]

    # the month

    async def run(self) -> None:
        """Let it pass, then check."""
        plans: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        for day in range(DAYS):
            begin = day * DAY
            plans.append((begin + HOUR, self._nightly))
            if self.random.random() < 0.6:
                plans.append((begin + 12 * HOUR, lambda: self._now_of("noon")))
            if self.random.random() < 0.3:
                plans.append((self._moment(begin), lambda: self._now_of(self.random.choice(NARROWED))))
            if self.random.random() < 0.15:
                plans.append((self._moment(begin), self._backfill))
            if self.random.random() < 0.6:
                plans.append((begin + 3 * HOUR, self.retain))
            if self.random.random() < 0.2:
                plans.append((self._moment(begin), self.verify))
            if self.random.random() < 0.3:
                # Beside retention, which may just be deleting the snapshot.
                plans.append((begin + 3 * HOUR + self.random.random() * MINUTE, self.hold))
            if self.random.random() < 0.3:
                # It often goes on when retention comes.
                plans.append((begin + self.random.random() * 3 * HOUR, self.restore))
            if self.random.random() < 0.07:
                plans.append((self._moment(begin), self._copied))
            plans += [(self._moment(begin), self._edit) for _ in range(self.random.randrange(4))]
        running = [
            asyncio.create_task(self._at(moment, action)) for moment, action in sorted(plans, key=lambda p: p[0])
        ]
        await asyncio.gather(*running)
        while self._people:
            await self._people.pop()
        await self._end()

    async def _at(self, moment: float, action: Callable[[], Awaitable[None]]) -> None:
        await self.clock.sleep(moment)
        try:
            await action()
        except DriveBackupError as error:
            self.log.append(f"{self._now()} gave up: {error}")

    async def _edit(self) -> None:
        self.edit()

    async def _nightly(self) -> None:
        instant = self.clock.now()
        await self.clock.sleep(self._queue)
        await self.back_up("default", instant)

    async def _now_of(self, series: str) -> None:
        await self.back_up(series, self.clock.now())

    async def _backfill(self) -> None:
        await self.back_up("default", self.clock.now() - timedelta(days=self.random.randrange(1, 6), minutes=7))

    def _moment(self, begin: float) -> float:
        return begin + self.random.random() * DAY

    async def _end(self) -> None:
        """All that is frozen goes on and ends; one more night and one more retention; then all is looked at."""
        for gate in self._gates:
            gate.thaw()
        for task in self._tasks:
            with suppress(DriveBackupError, Killed):
                await task
        self._gates.clear()
        self.random.seed(1)
        for action in (self.retain,):
            with suppress(DriveBackupError):
                await action()
        self.truth.now = self.clock.now()
        await self.truth.check(self.store, ANN, self.policy)
