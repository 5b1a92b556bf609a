"""``make soak``: many small files under random faults of all kinds, then a check that knows nothing of how they came.

Drive and the faulty way to Azurite run in this process, the copying in another one, whose memory is sampled
(:mod:`benchmarks.soak_copy`). The check lists the container with Microsoft's SDK and compares every blob with what the
Drive holds. What it finds is appended to ``docs/soak.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.handover import BatchRef
from include.local_cloud.drive.faults import Rule
from include.local_cloud.drive.quota import Limits
from include.local_cloud.process import module
from tests.support.cloud import start_azurite
from tests.support.local_drive import LocalDrive
from tests.support.real_world import World, real_world

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "soak.md"
MEDIA = ["files.get.media"]
BLOB_FAULTS = ("503", "500", "cut", "lost", "hang")


def content(number: int) -> bytes:
    """What the file of a number holds: every one is different."""
    return random.Random(number).randbytes(200 + number % 3000)


def rules(rate: float) -> list[Rule]:
    """Faults of Drive; together they strike a share of its downloads."""
    share = rate / 6
    return [
        *(Rule(kind=kind, routes=MEDIA, rate=share, at=100, seconds=2) for kind in ("cut", "corrupt", "stall")),
        Rule(kind="error", routes=MEDIA, rate=share, status=403, reason="userRateLimitExceeded"),
        Rule(kind="html", routes=MEDIA, rate=share, status=502),
        Rule(kind="hang", routes=MEDIA, rate=share, seconds=2),
    ]


async def copy_in_a_process(world: World, batches: list[BatchRef]) -> dict[str, Any]:
    """Let ``benchmarks.soak_copy`` copy; what it printed."""
    store = world.backup.store
    arguments = ("--drive", world.local.server.url, "--token", await world.tokens.token(), "--blob", world.through)
    command = module("benchmarks.soak_copy", *arguments, "--container", store.container)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps([batch.to_dict() for batch in batches]).encode())
    if process.returncode:
        raise SystemExit("The copying ended with an error, see above.")
    found: dict[str, Any] = json.loads(output)
    return found


async def soak(files: int, rate: float, azurite: str) -> dict[str, object]:
    """Back up under faults, try by try, until it is complete; then check."""
    local, dice = LocalDrive(), random.Random(1)
    expected = Counter[str]()
    for number in range(files):
        data = content(number)
        local.file(f"{number}.bin", content=data)
        expected[hashlib.md5(data).hexdigest()] += 1
    async with real_world(local, azurite) as world:
        # Google's quota would make it a test of patience.
        local.server.service.quota.limits = Limits(user_units=None, project_units=None)
        plan, batches = await world.backup.plan(batch_files=5_000)
        local.server.service.faults.rules += rules(rate)
        world.proxy.pick = lambda request: dice.choice(BLOB_FAULTS) if dice.random() < rate else None
        began = time.monotonic()
        copied = await copy_in_a_process(world, batches)
        seconds = time.monotonic() - began
        local.server.service.faults.rules.clear()
        world.proxy.pick = lambda request: None
        summary = await world.backup.commit(plan)
        async with ContainerClient.from_connection_string(azurite, world.backup.store.container) as client:
            found = Counter[str]()
            async for blob in client.list_blobs(name_starts_with="content/"):
                found[bytes(blob.content_settings.content_md5).hex()] += 1
            sample = dice.sample(range(files), min(files, 500))
            wrong = await wrong_bytes(client, sample)
        return {
            "files": files,
            "fault rate": f"{rate:.0%} of downloads, {rate:.0%} of Blob requests",
            "faults of Drive": local.server.service.faults.struck,
            "faults of Blob": f"{world.proxy.struck.total()} ({', '.join(f'{k} {n}' for k, n in sorted(world.proxy.struck.items()))})",
            "batches, tries": f"{len(batches)}, {copied['tries']}",
            "seconds": round(seconds),
            "status": summary["status"],
            "lost": (expected - found).total(),
            "doubled or strange": (found - expected).total(),
            "wrong bytes": wrong,
            "blobs read back for that": len(sample),
            "resident memory of the copying process, by quarter of the time, MB": copied["memory"],
        }


async def wrong_bytes(client: ContainerClient, numbers: list[int]) -> int:
    """How many of these files' blobs do not hold the file's bytes."""
    wrong = 0
    for number in numbers:
        names = [
            name
            async for name in client.list_blob_names(name_starts_with=f"content/user/ann@example.com/{number}.bin/")
        ]
        data = await (await client.download_blob(names[0])).readall() if len(names) == 1 else None
        wrong += data != content(number)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=0.02)
    given = parser.parse_args()
    # The stand-in reports each connection that its faults break.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        service = start_azurite(Path(folder))
        try:
            result = uvloop.run(soak(given.files, given.rate, service.info["connection_string"]))
        finally:
            service.stop(grace=120)
    rows = "".join(f"| {key} | {value} |\n" for key, value in result.items())
    text = f"\n## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n\n| | |\n|---|---|\n{rows}"
    with REPORT.open("a", encoding="utf-8") as report:
        report.write(text)
    print(text)
    clean = (
        result["status"] == "complete"
        and not result["lost"]
        and not result["doubled or strange"]
        and not result["wrong bytes"]
    )
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
