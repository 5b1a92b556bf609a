"""A process that stops itself (SIGSTOP) right before a request, in the middle of a retention or of a commit."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import SourceBusyError
from include.drive_backup.handover import PlanRef
from include.drive_backup.locking import _MARGIN, SourceLock, holding
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.model import Source
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.retention.rules import Keep, Policy
from tests.support.real_world import open_store

#: The exit code of a process that noticed that it had lost the lock.
LOST = 7
LIFETIME = timedelta(seconds=5)
ANN = Source(kind="user", id="ann@example.com")
POLICY = Policy(keep=Keep(last=1), brake_percent=100, grace_days=0)


class ShortLock(SourceLock):
    """Takes another one's lock after :data:`LIFETIME`. Its own lasts as long as any, until its process freezes.

    With a short life of its own, a busy machine could lose it the lock where the test does not mean it to.
    """

    async def _check(self, last, age) -> None:
        lasts, self.lifetime = self.lifetime, LIFETIME
        try:
            await super()._check(last, age)
        finally:
            self.lifetime = lasts

    def freeze(self) -> None:
        """From now on it lasts for :data:`LIFETIME` after its last look."""
        self._deadline -= (self.lifetime - LIFETIME).total_seconds() * (1 - _MARGIN)
        self.lifetime = LIFETIME


class Freezing:
    """A container of which a request stops the process.

    :param part: of the blob's name.
    :param after: so many requests of the kind are let pass.
    """

    def __init__(self, store, lock: ShortLock, part: str, after: int) -> None:
        self._store, self._lock, self._part, self._left = store, lock, part, after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _freeze(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._lock.freeze()
            print("frozen", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)

    def _watched(self, name, guard):
        def watched():
            self._freeze()
            if guard is not None:
                guard()

        return watched if self._part in name else guard

    async def put(self, name, data, *, guard=None, **options):
        return await self._store.put(name, data, guard=self._watched(name, guard), **options)

    async def delete(self, names, *, guard=None):
        return await self._store.delete(names, guard=self._watched(names[0] if names else "", guard))


async def retention(given: argparse.Namespace) -> None:
    async with open_store(given.blob, given.container, 30.0) as real:
        lock = ShortLock(real, ANN, "retention/1")
        store = Freezing(real, lock, "content/", 20)
        await apply_source(store, await plan_source(store, ANN, POLICY), POLICY, lock, SystemClock(), approved=True)


async def commit(given: argparse.Namespace, plan: PlanRef) -> None:
    async with open_store(given.blob, given.container, 30.0) as real:
        lock = ShortLock(real, ANN, "backup/1")
        store = Freezing(real, lock, "manifest.json", 0)
        async with holding(lock, SystemClock(), give_back=True):
            await commit_snapshot(store, plan, SystemClock(), "test", lock)


def main(given: argparse.Namespace) -> int:
    try:
        if given.what == "retention":
            asyncio.run(retention(given))
        else:
            asyncio.run(commit(given, PlanRef.from_dict(json.loads(Path(given.plan).read_text()))))
    except SourceBusyError as error:
        print(error, flush=True)
        return LOST
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--what", "--blob", "--container"):
        parser.add_argument(name, required=True)
    parser.add_argument("--plan")
    sys.exit(main(parser.parse_args()))
