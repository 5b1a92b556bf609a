"""Copies one batch in a child that is killed at a random moment, again and again, and at last lets one end.

A process of its own that runs no event loop and no thread: it may fork, and a fork begins to copy at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from include.drive_backup.handover import BatchRef
from include.drive_backup.transfer.batch import copy_batch
from tests.support.local_drive import OneToken
from tests.support.real_world import READS, QuickClock, open_drive, open_store


async def copy(given: argparse.Namespace, batch: BatchRef, *, resume: bool) -> None:
    async with (
        open_store(given.blob, given.container, 30.0) as store,
        open_drive(given.drive, OneToken(given.token)) as drive,
    ):
        await copy_batch(
            drive, store, batch, clock=QuickClock(), in_flight=8, memory_bytes=2**27, resume=resume,
            stop=asyncio.Event(), reads=READS,
        )  # fmt: skip


def child(given: argparse.Namespace, *, resume: bool) -> int:
    batch = BatchRef.from_dict(json.loads(Path(given.batch).read_text()))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(copy(given, batch, resume=resume))
            code = 0
        finally:
            os._exit(code)
    return pid


def main(given: argparse.Namespace) -> int:
    dice = random.Random(7)
    for number in range(given.kills):
        pid = child(given, resume=number > 0)
        time.sleep(dice.uniform(0.05, 1.0))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    _, status = os.waitpid(child(given, resume=True), 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--drive", "--token", "--blob", "--container", "--batch"):
        parser.add_argument(name, required=True)
    parser.add_argument("--kills", type=int, required=True)
    sys.exit(main(parser.parse_args()))
