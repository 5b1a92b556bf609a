"""List and plan a large Drive: our way, and folder by folder, against the local Drive of the same run.

    python -m benchmarks.listing                  # 200,000 items in 20,000 folders, 80 ms
    python -m benchmarks.listing --files 9000 --folders 1000 --latency-ms 0

Prints one JSON object: for each way ``seconds`` (list, plan), ``calls``, ``units`` and ``peak_mb`` (of the process that
lists and plans), and ``speedup``. Each way runs in a process of its own. Drive's page caps are the local Drive's.
"""

import argparse
import asyncio
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
SOURCE = "user/ann@example.com"


def compare(*, files=180_000, folders=20_000, latency_ms=80, ways=("flat", "folders")):
    """Run all ways against one local Drive; the result as a dict.

    :param files: beside the folders.
    :param latency_ms: of each call.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "include.local_cloud.drive", "--backend", "generated", "--state", folder]
        # Small contents: the local Drive computes their checksums, and that is not what is measured.
        command += ["--files", str(files), "--folders", str(folders), "--sizes", "1-100"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = json.loads(server.stdout.readline())["url"]
                found = {way: _run(way, url, folder, latency_ms) for way in ways}
            finally:
                server.terminate()
    result = {"items": files + folders, "folders": folders, "latency_ms": latency_ms, **found}
    if {"flat", "folders"} <= found.keys():
        result["speedup"] = round(_seconds(found["folders"]) / _seconds(found["flat"]), 1)
    return result


def _seconds(found):
    return found["list_seconds"] + found["plan_seconds"]


def _run(way, url, folder, latency_ms):
    _admin(url, "reset", {})
    _admin(url, "faults", {"settings": {"latency_ms": latency_ms}})
    _admin(url, "quota", {"user_units": None, "project_units": None})
    command = [sys.executable, "-m", "benchmarks.listing", "--worker", way, "--url", url, "--state", folder]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def _admin(url, path, body):
    request = urllib.request.Request(f"{url}/_admin/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        answer.read()


async def list_and_plan(way, url, folder):
    """One way, in this process."""
    from google.oauth2.service_account import Credentials

    from benchmarks.file_store import FileStore
    from include.drive_backup.clock import SystemClock
    from include.drive_backup.drive.source import GoogleDrive
    from include.drive_backup.drive.tokens import GoogleTokens
    from include.drive_backup.listing import list_source
    from include.drive_backup.handover import SourceTask
    from include.drive_backup.model import format_instant
    from include.drive_backup.pacing import QuotaLimiter
    from include.drive_backup.planning.plan import plan_source

    class FolderWise(GoogleDrive):
        """Lists folder by folder, as one that a stranger shared."""

        async def list_items(self, source):
            async for page in self._walk(await self._corpus(source), str(source)):
                yield page

    clock = SystemClock()
    key = Credentials.from_service_account_file(str(Path(folder) / "service-account.json"), scopes=[SCOPE])
    tokens = GoogleTokens(key.with_subject(SOURCE.partition("/")[2]), clock)
    limiter = QuotaLimiter(clock, units_per_minute=None)
    kind = FolderWise if way == "folders" else GoogleDrive
    task = SourceTask(source=SOURCE, instant=format_instant(clock.now()), run=way)
    with tempfile.TemporaryDirectory() as blobs:
        store = FileStore(Path(blobs))
        async with kind(tokens, limiter=limiter, clock=clock, api_endpoint=url) as drive:
            began, cpu = time.perf_counter(), time.process_time()
            listing = await list_source(drive, store, task, clock)
            listed, listed_cpu, listed_peak = time.perf_counter(), time.process_time(), _peak()
            plan, batches = await plan_source(store, listing, export_formats={}, max_batches=200, clock=clock)
            planned, planned_cpu = time.perf_counter(), time.process_time()
            return {
                "rows": sum(plan.counts.values()),
                "batches": len(batches),
                "list_seconds": round(listed - began, 1),
                "list_cpu_seconds": round(listed_cpu - cpu, 1),
                "plan_seconds": round(planned - listed, 1),
                "plan_cpu_seconds": round(planned_cpu - listed_cpu, 1),
                "calls": drive.use.calls,
                "units": drive.use.units,
                "list_peak_mb": listed_peak,
                "peak_mb": _peak(),
            }


def _peak():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=180_000)
    parser.add_argument("--folders", type=int, default=20_000)
    parser.add_argument("--latency-ms", type=float, default=80)
    parser.add_argument("--ways", nargs="+", default=["flat", "folders"], choices=["flat", "folders"])
    for name in ("--worker", "--url", "--state"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    found = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    if found.worker:
        print(json.dumps(asyncio.run(list_and_plan(found.worker, found.url, found.state))))
        return
    result = compare(files=found.files, folders=found.folders, latency_ms=found.latency_ms, ways=found.ways)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
