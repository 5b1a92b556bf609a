"""List a large Drive, then list it again by its change feed: nothing changed, and 1 % of all items renamed.

    python -m benchmarks.increments                # 200,000 items in 20,000 folders, 80 ms a call
    python -m benchmarks.increments --files 9000 --folders 1000

Prints one JSON object: for ``full``, ``unchanged`` and ``changed`` the ``seconds``, ``cpu_seconds``, ``calls``, ``units``
and ``peak_mb`` (of this process since the step began) of the listing.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.file_store import FileStore
from benchmarks.listing import SCOPE, SOURCE, _admin
from include.drive_backup.clock import SystemClock
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.increment import listing_prefix
from include.drive_backup.listing import list_source
from include.drive_backup.handover import SourceTask
from include.drive_backup.model import Item, format_instant
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.work import read_parts


def measure(*, files, folders, latency_ms):
    """All three listings; the result as a dict."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "include.local_cloud.drive", "--backend", "generated", "--state", folder]
        command += ["--files", str(files), "--folders", str(folders), "--sizes", "1-100"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = json.loads(server.stdout.readline())["url"]
                _admin(url, "quota", {"user_units": None, "project_units": None})
                found = asyncio.run(_listings(url, folder, latency_ms))
            finally:
                server.terminate()
    return {"items": files + folders, "latency_ms": latency_ms, **found}


async def _listings(url, folder, latency_ms):
    store = FileStore(Path(folder) / "blobs")
    (Path(folder) / "blobs").mkdir()
    found, base = {}, None
    for way in ("full", "unchanged", "changed"):
        if way == "changed":
            _admin(url, "faults", {"settings": {"latency_ms": 0}})
            await _rename_some(url, store, base)
        _admin(url, "faults", {"settings": {"latency_ms": latency_ms}})
        listing, found[way] = await _timed(url, folder, store, way, base)
        base = listing.listed
        found[way] |= {"items": listing.items, "kind": base.kind}
    return found


async def _rename_some(url, store, base):
    """Every hundredth item gets another name."""
    position = 0
    async for item in read_parts(store, listing_prefix(base.work), Item, parts=base.parts):
        position += 1
        if position % 100 == 0:
            _admin(url, "edit", {"action": "rename", "file": item.id, "name": f"renamed {position}"})


async def _timed(url, folder, store, way, base):
    from google.oauth2.service_account import Credentials

    clock = SystemClock()
    key = Credentials.from_service_account_file(str(Path(folder) / "service-account.json"), scopes=[SCOPE])
    tokens = GoogleTokens(key.with_subject(SOURCE.partition("/")[2]), clock)
    limiter = QuotaLimiter(clock, units_per_minute=None)
    task = SourceTask(source=SOURCE, instant=format_instant(clock.now()), run=way)
    _forget_peak()
    async with GoogleDrive(tokens, limiter=limiter, clock=clock, api_endpoint=url) as drive:
        began, cpu = time.perf_counter(), time.process_time()
        listing = await list_source(drive, store, task, clock, base)
        return listing, {
            "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "calls": drive.use.calls,
            "units": drive.use.units,
            "peak_mb": _peak(),
        }


def _forget_peak():
    """Linux takes the memory now as the peak (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.increments", description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=180_000)
    parser.add_argument("--folders", type=int, default=20_000)
    parser.add_argument("--latency-ms", type=float, default=80)
    found = parser.parse_args()
    print(json.dumps(measure(files=found.files, folders=found.folders, latency_ms=found.latency_ms), indent=2))


if __name__ == "__main__":
    main()
