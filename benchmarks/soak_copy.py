"""The part of the soak whose memory counts: copies the batches of a plan, as many tries as it takes, in a process of its own.

Prints one line of JSON: ``tries``, and the resident megabytes (not their peak) by quarter of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

import psutil
import uvloop

from include.drive_backup.errors import TransientError
from include.drive_backup.handover import BatchRef
from include.drive_backup.transfer.batch import copy_batch
from tests.support.local_drive import OneToken
from tests.support.real_world import READS, QuickClock, open_drive, open_store

_MOST_TRIES = 30


class Memory:
    """Samples of what this process has resident now; the peak would look flat whatever happens."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.samples: list[int] = []

    async def watch(self) -> None:
        """Sample twice a second."""
        while True:
            self.samples.append(self._process.memory_info().rss)
            await asyncio.sleep(0.5)

    def quarters(self) -> list[float]:
        """The mean of each quarter of the time, in MB."""
        size = max(1, len(self.samples) // 4)
        parts = [self.samples[at : at + size] for at in range(0, size * 4, size)]
        return [round(sum(part) / len(part) / 1e6, 1) for part in parts if part]


async def copy_all(given: argparse.Namespace, batches: list[BatchRef]) -> dict[str, Any]:
    """Copy."""
    memory = Memory()
    watch = asyncio.create_task(memory.watch())
    tries = 0
    async with (
        open_store(given.blob, given.container) as store,
        open_drive(given.drive, OneToken(given.token)) as drive,
    ):
        for batch in batches:
            tries += await _until_done(drive, store, batch)
    watch.cancel()
    return {"tries": tries, "memory": memory.quarters()}


async def _until_done(drive: Any, store: Any, batch: BatchRef) -> int:
    for tries in range(1, _MOST_TRIES):
        try:
            await copy_batch(
                drive,
                store,
                batch,
                clock=QuickClock(),
                in_flight=64,
                memory_bytes=2**27,
                resume=tries > 1,
                stop=asyncio.Event(),
                reads=READS,
            )
        except TransientError:
            continue
        return tries
    raise SystemExit(f"{batch.label} never ends.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--drive", "--token", "--blob", "--container"):
        parser.add_argument(name, required=True)
    rows = json.load(sys.stdin)
    print(json.dumps(uvloop.run(copy_all(parser.parse_args(), [BatchRef.from_dict(row) for row in rows]))))
