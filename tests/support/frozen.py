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
from include.drive_backup.locking import SourceLock, holding
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


class Freezing:
    """A container of which a request stops the process.

    :param part: of the blob's name.
    :param after: so many requests of the kind are let pass.
    """

    def __init__(self, store, part: str, after: int) -> None:
        self._store, self._part, self._left = store, part, after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _freeze(self) -> None:
        self._left -= 1
        if self._left == -1:
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
        store = Freezing(real, "content/", 20)
        lock = SourceLock(store, ANN, "retention/1", lifetime=LIFETIME)
        await apply_source(store, await plan_source(store, ANN, POLICY), POLICY, lock, SystemClock(), approved=True)


async def commit(given: argparse.Namespace, plan: PlanRef) -> None:
    async with open_store(given.blob, given.container, 30.0) as real:
        store = Freezing(real, "manifest.json", 0)
        lock = SourceLock(store, ANN, "backup/1", lifetime=LIFETIME)
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
