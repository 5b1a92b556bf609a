"""``make bench``: all profiles, ours and rclone in turn, and ``docs/benchmarks.md`` made of what was measured."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import contenders
from benchmarks.contenders import LARGEST, TUNED, Command, rclone
from benchmarks.increments import increments
from benchmarks.measure import Run, busy, timed
from benchmarks.report import write
from benchmarks.servers import Servers, Tree

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".run" / "benchmarks.json"
MIB = 1024**2

SMALL = Tree("10,000 files of 4–64 KiB", 10_000, 500, "small")
FEW = Tree("600 files of 4–64 KiB", 600, 30, "small")
SOME = Tree("2,000 files of 4–64 KiB", 2_000, 100, "small")
LARGE = Tree("8 files of 256 MiB", 8, 1, f"{256 * MIB}-{256 * MIB}")
TWO = Tree("2 files of 256 MiB", 2, 1, f"{256 * MIB}-{256 * MIB}")
MIX = Tree("7,000 files, lognormal sizes", 7_000, 350, "lognormal")
#: Tiny contents: the local Drive computes their checksums, and that is not what is measured.
MANY = Tree("a listing of 200,000 items in 20,000 folders", 180_000, 20_000, "1-100")


@dataclass(frozen=True)
class Scenario:
    """What is compared under which circumstances. The first contender is the one that the others are compared with.

    :param latency: Drive and the null endpoint answer as late as the real ones.
    """

    key: str
    tree: Tree
    blob: str
    latency: bool
    contenders: dict[str, Command]
    rounds: int = 3


MANY_FILES = {"ours": contenders.ours, "rclone tuned": rclone(*TUNED)}
LARGE_FILES = {"ours": contenders.ours, "rclone largest": rclone(*LARGEST)}
LISTINGS = {
    "ours": contenders.listing("flat"),
    "folder by folder": contenders.listing("folders"),
    "rclone tuned": contenders.rclone_listing(*TUNED),
}
SCENARIOS = (
    Scenario("small-null-latency", SMALL, "null_blob", True, MANY_FILES),
    Scenario("small-null", SMALL, "null_blob", False, MANY_FILES),
    Scenario("default-null-latency", FEW, "null_blob", True, {"rclone default": rclone()}, 1),
    Scenario("large-null-latency", LARGE, "null_blob", True, {**LARGE_FILES, "rclone default": rclone()}),
    Scenario("large-null", LARGE, "null_blob", False, LARGE_FILES),
    Scenario("mix-null-latency", MIX, "null_blob", True, MANY_FILES, 2),
    Scenario("mix-null", MIX, "null_blob", False, MANY_FILES, 2),
    Scenario("small-azurite-latency", SOME, "azurite", True, MANY_FILES),
    Scenario("small-azurite", SOME, "azurite", False, MANY_FILES),
    Scenario("large-azurite", TWO, "azurite", False, LARGE_FILES, 1),
    Scenario("list-latency", MANY, "null_blob", True, LISTINGS, 2),
    Scenario("list", MANY, "null_blob", False, LISTINGS, 2),
)


class Bench:
    """Runs scenarios and keeps what they gave.

    :param minutes: for all scenarios; further rounds are left out when they would take longer.
    """

    def __init__(self, servers: Servers, minutes: float) -> None:
        self.servers = servers
        self.results: dict[str, Any] = {}
        self._end = time.monotonic() + minutes * 60
        self._runs = 0

    def compare(self, scenario: Scenario, left: int) -> None:
        """All rounds of a scenario.

        :param left: scenarios to come, this one included; they share the time that is left.
        """
        servers = self.servers
        servers.serve(scenario.tree)
        servers.blob(scenario.blob)
        servers.prepare(latency=False)
        # The local Drive computes checksums when they are first asked for.
        self._client(contenders.rclone_listing(*TUNED), scenario.blob, "warm-up")
        share = max(self._end - time.monotonic(), 0) / left
        began, rounds = time.monotonic(), []
        for number in range(scenario.rounds):
            rounds.append(self._round(scenario, backwards=number % 2 == 1))
            spent = time.monotonic() - began
            if spent * (number + 2) / (number + 1) > share:
                break
        self.results[scenario.key] = {
            "tree": scenario.tree.name,
            "blob": scenario.blob,
            "latency": scenario.latency,
            "truth": servers.truth,
            "rounds": [[run.to_dict() for run in each] for each in rounds],
        }

    def _round(self, scenario: Scenario, *, backwards: bool) -> list[Run]:
        pairs = list(scenario.contenders.items())
        runs = [self._run(scenario, *pair) for pair in (reversed(pairs) if backwards else pairs)]
        return runs[::-1] if backwards else runs

    def _run(self, scenario: Scenario, name: str, command: Command) -> Run:
        """One contender, from nothing; checks that it stored everything."""
        servers = self.servers
        self._runs += 1
        container = f"run-{self._runs:03d}"
        servers.prepare(latency=scenario.latency)
        before, machine = servers.cpu(), busy()
        output, wall, cpu, rss = self._client(command, scenario.blob, container)
        foreign = busy() - machine
        used = {each: seconds - before.get(each, 0.0) for each, seconds in servers.cpu().items()}
        stats = servers.admin("stats")
        files, size = self._check(scenario, container)
        servers.empty_blob()
        run = Run(
            contender=name,
            files=files,
            bytes=size,
            wall=wall,
            cpu=cpu,
            rss_mb=rss,
            calls=stats["totalCalls"] - stats["calls"].get("token", 0),
            units=stats["units"],
            others=max(0.0, (foreign - cpu - sum(used.values())) / wall),
            load=os.getloadavg()[0],
            servers=used,
            detail=json.loads(output) if name == "ours" else {},
        )
        print(_line(scenario, run), flush=True)
        return run

    def _client(self, command: Command, blob: str, container: str) -> tuple[str, float, float, float]:
        line = command(self.servers, self.servers.blob(blob), container)
        return timed(line, contenders.env_of(self.servers), self.servers.state / "client.log")

    def _check(self, scenario: Scenario, container: str) -> tuple[int, int]:
        """What is in the container is what is in Drive."""
        files, size = self.servers.truth
        if scenario.tree is MANY:
            return files + MANY.folders, size
        self.servers.blob_latency(0)
        found = contenders.count_of(self._client(contenders.stored, scenario.blob, container)[0])
        if found != (files, size):
            raise SystemExit(f"{scenario.key}: {found} files and bytes are stored instead of {(files, size)}.")
        return found


def _line(scenario: Scenario, run: Run) -> str:
    return (
        f"{scenario.key:24} {run.contender:16} {run.wall:7.1f} s {run.files / run.wall:8.0f} files/s "
        f"{run.bytes / run.wall / 1e6:6.0f} MB/s {run.cpu / run.files * 1e3:8.2f} ms CPU/file {run.rss_mb:6.0f} MB "
        f"{run.calls:7} calls {run.units:9} units  others {run.others:.1f} cores"
    )


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--minutes", type=float, default=11, help="for all profiles but the last two")
    parser.add_argument("--only", default="", help="profiles, by their keys and commas between; writes no report")
    parser.add_argument("--no-airflow", action="store_true", help="leave out the run through Airflow")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args()
    only = [each for each in given.only.split(",") if each]
    wanted = [each for each in SCENARIOS if not only or each.key in only]
    others = {"increments": _increments, "airflow": _airflow}
    unknown = set(only) - {each.key for each in SCENARIOS} - others.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(_all_keys())}")
    if given.no_airflow:
        del others["airflow"]
    with tempfile.TemporaryDirectory(prefix="drive-backup-bench-") as folder, Servers(Path(folder)) as servers:
        bench = Bench(servers, given.minutes)
        for place, scenario in enumerate(wanted):
            bench.compare(scenario, len(wanted) - place)
            _save(bench.results)
        for key, run in others.items():
            if not only or key in only:
                bench.results[key] = run(servers)
                _save(bench.results)
    if not given.only:
        write(json.loads(RESULTS.read_text()), given.output)
        print(f"Written: {given.output}")


def _all_keys() -> list[str]:
    return [*(each.key for each in SCENARIOS), "increments", "airflow"]


def _increments(servers: Servers) -> dict[str, Any]:
    return increments(servers, MANY)


def _airflow(servers: Servers) -> dict[str, Any]:
    from benchmarks.airflow import through_airflow

    servers.serve(SMALL)
    found = through_airflow(servers)
    print(f"airflow                  {json.dumps(found)}", flush=True)
    return found


def _save(results: dict[str, Any]) -> None:
    """After each profile: what is measured is not lost when a later one cannot be."""
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "planned": _all_keys(),
        "results": results,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
