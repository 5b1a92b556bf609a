"""A random month of real processes on a real container: they are stopped, go on, and are killed at any moment."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.handover import SourceTask
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import format_instant
from include.drive_backup.retention import holds
from include.drive_backup.retention.rules import Keep, Policy
from tests.support.fake_drive import FakeDrive
from tests.support.month import DAYS, FILES, NARROWED, SELECTIONS
from tests.support.month_claims import Version
from tests.support.month_process import ANN, CRASHED, FAILED, GONE, Given, main
from tests.support.month_truth import Promise, Truth, name_of
from tests.support.trees import file

#: Real seconds of a day, at least.
PACE = 4.0
POLICIES = [
    Policy(keep=keep, grace_days=1 / 86_400, brake_percent=100)
    for keep in (Keep(daily=7, weekly=2), Keep(daily=2), Keep(last=2), Keep(daily=3, monthly=1))
]
#: How often a process is stopped or killed, and how often it is killed then.
DISTURBED = {"backup": 0.12, "commit": 0.4, "retention": 0.4, "hold": 0.4, "restore": 0.3, "verify": 0.2}
#: One that is killed would protect what it reads for half an hour of real time.
NEVER_KILLED = ("verify", "restore")
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.support.month_server"])


class Turn:
    """Runs wait for each other, as in Airflow, and no longer when a process of the one before is stopped."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock, self._has = lock, False

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        self._has = True
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.give_up()

    def give_up(self) -> None:
        """Let the next one begin."""
        if self._has:
            self._has = False
            self._lock.release()


class RealMonth:
    """One month.

    :param blob: the connection string. ``folder``: for what processes and month say to each other.
    """

    def __init__(self, seed: int, store: Any, blob: str, folder: Path, *, days: int = DAYS) -> None:
        self.random = random.Random(seed)
        self.policy = self.random.choice(POLICIES)
        self.truth = Truth()
        self.log: list[str] = []
        self.drive = FakeDrive(page=5)
        self._store, self._blob, self._folder, self._days = store, blob, folder, days
        #: The day, and when it began in the event loop's time.
        self._today, self._dawn = 0, asyncio.get_running_loop().time()
        self._processes: list[Any] = []
        self._stopped: set[Any] = set()
        self._background: list[asyncio.Future[Any]] = []
        self._slots = asyncio.Semaphore(3)
        self._turns = asyncio.Lock()
        self._waiting = 0
        #: At the end nobody is stopped any more.
        self._calm = False
        self._numbers = 0
        self._writes = 0
        for number in range(FILES):
            self._write(f"id{number}")

    @property
    def problems(self) -> list[str]:
        """What was found; empty when all is well."""
        return self.truth.problems

    def now(self) -> datetime:
        """The simulated time."""
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=self._passed())

    def _passed(self) -> float:
        """Days, with a part of one that grows ever more slowly until the next one begins."""
        seconds = asyncio.get_running_loop().time() - self._dawn
        return self._today + seconds / (seconds + PACE)

    def _say(self, text: str) -> None:
        self.log.append(f"{self.now():%m-%d %H:%M} {text}")

    # what people do in Drive

    def _write(self, ident: str, content: bytes | None = None) -> None:
        self._writes += 1
        moment = self.now()
        content = content or f"{ident} {self._writes}".encode() * 5
        known = self.truth.versions.setdefault(ident, [])
        if ident in self.drive.items:
            known[-1].until = moment
            self.drive.write(ident, content, _drive(moment))
        else:
            self.drive.add(file(name_of(ident), content, id=ident, modifiedTime=_drive(moment)))
        known.append(Version(content, moment))

    def edit(self) -> None:
        """A file is added, changed or deleted, or has an earlier version again."""
        ident = f"id{self.random.randrange(FILES + 3)}"
        known = self.truth.versions.get(ident, [])
        if ident in self.drive.items and self.random.random() < 0.2:
            known[-1].until = self.now()
            self.drive.delete(ident)
        else:
            again = len(known) > 1 and self.random.random() < 0.6
            self._write(ident, self.random.choice(known[-4:]).content if again else None)

    # processes

    def _start(self, what: str, **given: Any) -> tuple[Any, Given]:
        self._numbers += 1
        each = Given(
            what=what,
            blob=self._blob,
            container=self._store.container,
            now=self.now(),
            policy=self.policy,
            out=self._folder / f"{self._numbers}.json",
            events=self._folder / f"{self._numbers}.events",
            **{"holder": f"{what}/{self._numbers}", **given},
        )
        process = _SERVER.Process(target=main, args=(each,), daemon=True)
        process.start()
        self._processes.append(process)
        return process, each

    async def _disturb(self, process: Any, what: str) -> bool:
        """Stop or kill a process; whether it was stopped."""
        await asyncio.sleep(self.random.uniform(0.02, 1.2))
        if process.exitcode is not None:
            return False
        if what not in NEVER_KILLED and self.random.random() < 0.3:
            self._say(f"{what}: killed")
            os.kill(process.pid, signal.SIGKILL)
            return False
        self._say(f"{what}: stopped")
        os.kill(process.pid, signal.SIGSTOP)
        self._stopped.add(process)
        seconds = 3.0 if what == "verify" else self.random.choice([1.0, 4.0, 7.0, 12.0, 30.0])
        asyncio.get_running_loop().call_later(seconds, self._go_on, process)
        return True

    def _go_on(self, process: Any) -> None:
        if process in self._stopped:
            self._stopped.discard(process)
            os.kill(process.pid, signal.SIGCONT)

    async def _ended(self, process: Any, given: Given, done: Callable[[dict[str, Any]], None]) -> int:
        """Wait for its end; what it said counts whenever it says it."""
        await asyncio.to_thread(process.join)
        await self._look()
        said = json.loads(given.out.read_text()) if given.out.exists() else {}
        if process.exitcode == 0:
            done(said)
        self._judge(given, process.exitcode, said)
        return int(process.exitcode)

    def _judge(self, given: Given, code: int, said: dict[str, Any]) -> None:
        """Note what no process may come to."""
        if code:
            self._say(f"{given.what}: {code} {said.get('error', '')[:150]}")
        if code == CRASHED or (code == FAILED and given.what in ("restore", "verify", "hold")):
            self.problems.append(f"{given.what}: {said.get('error')}")
        if code == GONE and said.get("read"):
            self.problems.append(f"{given.manifest} was deleted while it was restored")
        self.problems.extend(f"verification: {damage}" for damage in said.get("damages", ()))

    async def step(
        self, what: str, done: Callable[[dict[str, Any]], None], turn: Turn | None = None, **given: Any
    ) -> bool:
        """A task with retries: the next one begins beside one that is stopped."""
        for _ in range(8):
            async with self._slots:
                process, each = self._start(what, drive=self.drive, **given)
                ended = self._spawn(self._ended(process, each, done))
                if not self._calm and self.random.random() < DISTURBED[what] and await self._disturb(process, what):
                    if turn is not None:
                        turn.give_up()
                    await asyncio.wait({ended}, timeout=self.random.choice([0.5, 3.0, 8.0]))
                else:
                    await ended
            if ended.done() and ended.result() in (0, GONE):
                return ended.result() == 0
            await asyncio.sleep(self.random.uniform(0.5, 2.5))
        self._say(f"{what} gave up")
        return False

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        future = asyncio.ensure_future(work)
        self._background.append(future)
        return future

    # what Airflow and people do

    async def back_up(self, series: str, back: timedelta = timedelta()) -> None:
        """A run."""
        async with self._turn() as turn:
            await self._back_up(series, back, turn)

    async def _back_up(self, series: str, back: timedelta, turn: Turn) -> None:
        self._numbers += 1
        instant, include = self.now() - back, SELECTIONS[series]
        names = {"source": str(ANN), "series": series, "instant": format_instant(instant)}
        task = SourceTask(**names, run=f"run-{self._numbers}", include=include).to_dict()
        holder, plans = f"run/{self._numbers}", list[dict[str, Any]]()
        listed = self.now()
        if not await self.step("backup", plans.append, turn, holder=holder, task=task):
            return

        def said(summary: dict[str, Any]) -> None:
            self._say(f"{summary['manifest']}: {summary['status']}, created {summary['created']}")
            if summary["status"] == "complete" and summary["created"]:
                # A later try may have listed what was not yet there at the first, never less.
                self.truth.promises[summary["manifest"]] = Promise(summary["manifest"], (listed, self.now()), include)

        await self.step("commit", said, turn, holder=holder, plan=plans[0])

    async def retain(self) -> None:
        """Retention."""
        async with self._turn() as turn:
            await self._look()
            await self.step("retention", lambda said: self._say(f"retention: {said}"), turn)

    async def hold(self) -> None:
        """A person holds a snapshot, and releases it days later."""
        name = await self._any()
        tag = f"case-{self._numbers}"
        if name is None:
            return
        held = (name.manifest, tag)
        if not await self.step("hold", lambda _: self.truth.held.add(held), manifest=name.manifest, tag=tag):
            return
        until = self._passed() + self.random.choice([1, 5, 20, 40])
        while self._passed() < until:
            if self._calm:
                return
            await asyncio.sleep(0.5)
        self.truth.held.discard(held)
        if not await SnapshotRepository(self._store).is_there(name):
            self.problems.append(f"{name.key} was held by {tag}, and is gone")
        await holds.release(self._store, name, tag)

    async def restore(self) -> None:
        """Somebody restores a snapshot."""
        name = await self._any()
        if name is None:
            return
        folder = self._folder / f"restored-{self._numbers}"

        def compare(_said: dict[str, Any]) -> None:
            for each in folder.iterdir():
                if all(each.read_bytes() != version.content for version in self.truth.versions[each.name]):
                    self.problems.append(f"{name.key}: {each.name} was restored wrongly")

        await self.step("restore", compare, manifest=name.manifest, folder=folder)

    async def verify(self) -> None:
        """Verification finds no damage, for nobody does any."""
        await self.step("verify", lambda _: None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Turn]:
        self._waiting += 1
        try:
            async with Turn(self._turns) as turn:
                self._waiting -= 1
                yield turn
                self._waiting += 1
        finally:
            self._waiting -= 1

    async def _any(self) -> SnapshotName | None:
        names = await SnapshotRepository(self._store).names(ANN)
        return self.random.choice([*names[:2], *names]) if names else None

    # the month

    async def run(self) -> None:
        """Let it pass, then check."""
        try:
            for day in range(self._days):
                self._today, self._dawn = day, asyncio.get_running_loop().time()
                self._day()
                await asyncio.sleep(PACE)
                # On a slow machine the days are longer.
                while self._waiting > 2:  # noqa: ASYNC110 - runs wait for many things
                    await asyncio.sleep(0.1)
            await self._end()
        finally:
            for process in self._processes:
                if process.exitcode is None:
                    process.kill()
                    process.join()
            for future in self._background:
                future.cancel()

    def _day(self) -> None:
        for _ in range(self.random.randrange(4)):
            self.edit()
        chances: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (1.0, lambda: self.back_up("default")),
            (0.4, lambda: self.back_up("noon")),
            (0.2, lambda: self.back_up(self.random.choice(NARROWED))),
            (0.15, lambda: self.back_up("default", timedelta(days=self.random.randrange(1, 6), minutes=7))),
            (0.7, self.retain),
            (0.3, self.hold),
            (0.3, self.restore),
            (0.15, self.verify),
        ]
        for chance, action in chances:
            if self.random.random() < chance:
                self._spawn(self._after(self.random.random() * PACE, action))

    async def _after(self, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        await action()

    async def _end(self) -> None:
        """All that is stopped goes on, and ends; one more retention; then all is looked at."""
        for process in list(self._stopped):
            self._go_on(process)
        self._calm = True
        while waiting := [future for future in self._background if not future.done()]:
            await asyncio.gather(*waiting)
        for future in self._background:
            # What went wrong in the month itself.
            await future
        process, given = self._start("retention")
        await self._ended(process, given, lambda _: None)
        for events in self._folder.glob("*.events"):
            for line in events.read_text().splitlines():
                name, data = json.loads(line)
                self.truth.written(name, data.encode())
        await self.truth.check(self._store, ANN, self.policy)

    async def _look(self) -> None:
        """See what is committed by now: a process that is killed has not said all that it did."""
        for name in await SnapshotRepository(self._store).names(ANN):
            if name.manifest not in self.truth.committed:
                data = await self._store.read(name.manifest)
                if data is not None:
                    self.truth.written(name.manifest, data)


def _drive(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
