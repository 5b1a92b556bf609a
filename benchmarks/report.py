"""Turns what was measured into ``docs/benchmarks.md``. ``python -m benchmarks.report`` does it again from the numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OURS, SYNC = "ours", "rclone sync"
#: The increments, as ``benchmarks.increments`` calls them.
_WAYS = {"unchanged": "nothing changed", "renamed": "1 % renamed", "edited": "1 % with new content"}
#: What both must download is no matter of how changes are found.
_WITH_GOALS = ("unchanged", "renamed")
#: rclone's own memory at these settings is no goal; ours is bounded by `limits.memory_mb`, whose default this is.
MEMORY_MB = 256
#: Units a second that Drive gives one user, and the price of a download: https://developers.google.com/workspace/drive/api/guides/limits
QUOTA, DOWNLOAD = 325_000 / 60, 200

Run = dict[str, Any]
Results = dict[str, Any]

_HEAD = """# Benchmarks

Written by `make bench`; do not edit. Measured on {date}, {cores} cores, everything on one machine.

Drive Backup's engine and [rclone](https://rclone.org/drive/) {rclone} copy the same Drive into the same kind of
container, in turn, in the same run. **Only the ratios count**: clients, Drive and Blob share the cores, and other work
on the machine disturbs all of them (foreign load during these runs: {others:.1f} cores in the middle, {worst:.1f} at
worst). A ratio above 1 means that we are better; it is the median of the rounds, with the lowest and highest in
brackets. Each run starts from nothing and is a process of its own, start-up included; after each, the container is
counted and must hold every file and every byte.

- **Drive** is `include/local_cloud/drive` over TLS, its quota opened wide. **Blob** is `benchmarks/null_blob.py`, which
  drops the bytes, or Azurite, which is slower than either client and so hides differences.
- **Latency**: Drive 80 ms for metadata and 150 ms to the first byte; Blob 20 ms (Azurite: none added).
- **Ours**: list, plan, copy, commit in one process with the default settings; it also checks SHA-256 and MD5 of all bytes,
  writes catalogue and manifest, and keeps what makes a killed run resume.
- **rclone tuned**: `{tuned}`.
- **rclone largest**, for large files: `{largest}`.
- **rclone default**: no options. Its pacer allows ten calls a second after a burst of 100, so it gets a Drive of 600
  files; the burst flatters it.
"""

_WHY = f"""
## Why goals are missed

- **Small files, no latency; mixed sizes.** Our engine is one Python process, so one core; rclone takes all of them. A small
  file costs us two to three times rclone's CPU: two requests by aiohttp, a hash of all bytes twice, a record that a retry goes on
  from, a catalogue row ([ADR 0019](adr/0019-the-hot-path-stays-on-aiohttp.md) has what was tried). Drive gives one user
  {QUOTA / DOWNLOAD:.0f} downloads a second; one core does many times that, and each mapped task is a process of its own.
- **Large files.** One core of ours against all for rclone, and each byte is hashed three times: SHA-256 and MD5 of the file, MD5
  of the block on its way. That is about half of the CPU.
- **Increments, time.** With its quota opened wide, Drive answers rclone's calls as fast as they come; its real quota alone
  makes them take what the table says. Ours spends its time on the catalogue: each night it lists what the container
  holds, twice, and holds every reference against it, so that no snapshot promises what is not there; rclone believes names, sizes
  and times.
- **Azurite** is slower than both and shares their cores.
"""


def write(found: Results, path: Path) -> None:
    """Write the page."""
    path.write_text("\n".join(_page(found)) + "\n", encoding="utf-8")


def _page(found: Results) -> Iterator[str]:
    from benchmarks.contenders import LARGEST, TUNED

    results = {key: each for key, each in found["results"].items() if "rounds" in each}
    foreign = [run["others"] for each in results.values() for runs in each["rounds"] for run in runs]
    requirement = next(line for line in (ROOT / "benchmarks/requirements.txt").read_text().splitlines() if "==" in line)
    yield _HEAD.format(
        date=found["date"],
        cores=found["cores"],
        rclone=requirement.partition("==")[2].split()[0],
        others=median(foreign),
        worst=max(foreign),
        tuned=" ".join(TUNED),
        largest=" ".join(LARGEST),
    )
    if median(foreign) > found["cores"] / 4:
        yield (
            "**The machine was busy with other work.** Then speed says little, least of all of a client that runs on one "
            "core against one that runs on all; CPU, memory, API calls and units hold all the same.\n"
        )
    yield from _goals(found["results"])
    yield from _ratios(results)
    yield from _numbers(results)
    yield from _steps(results)
    yield from _increments(found["results"])
    yield _WHY
    yield from _airflow(found["results"])
    missing = [key for key in found["planned"] if key not in found["results"]]
    if missing:
        yield f"\n## Not measured in this run\n\n{', '.join(missing)}: `make bench` on an idle machine measures all."


def _goals(results: Results) -> Iterator[str]:
    yield "## Goals\n\n| goal | measured | |\n|---|---|---|"
    for text, measured, met in _checks(results):
        yield f"| {text} | {measured} | {'met' if met else '**missed**'} |"


def _checks(results: Results) -> Iterator[tuple[str, str, bool]]:
    if "small-null-latency" in results:
        ratio = _middle(results["small-null-latency"], "rclone tuned", _wall)
        yield "small files, with latency: ≥ 1.5 times rclone tuned", f"{ratio:.2f} times", ratio >= 1.5
    if {"small-null-latency", "default-null-latency"} <= results.keys():
        ratio = _speed(results["small-null-latency"], OURS) / _speed(results["default-null-latency"], "rclone default")
        yield "small files, with latency: ≥ 10 times rclone default", f"{ratio:.1f} times", ratio >= 10
    if "small-null" in results:
        ratio = _middle(results["small-null"], "rclone tuned", _wall)
        yield "small files, no latency: ≥ 1 times rclone without pacer", f"{ratio:.2f} times", ratio >= 1
    for key in ("small-null-latency", "small-null"):
        if key in results:
            cpu = median(map(_cpu, _of(results[key], OURS))) * 1e3
            text = f"small files, {'with' if 'latency' in key else 'no'} latency: ≤ 0.8 ms of CPU a file, all steps included"
            yield text, f"{cpu:.2f} ms", cpu <= 0.8
    for key in ("large-null-latency", "large-null"):
        if key in results:
            ratio = _middle(results[key], "rclone largest", _wall)
            rss = median(run["rss_mb"] for run in _of(results[key], OURS))
            text = f"large files, {'with' if 'latency' in key else 'no'} latency: ≥ rclone largest, ≤ {MEMORY_MB} MB"
            yield text, f"{ratio:.2f} times, {rss:.0f} MB", ratio >= 1 and rss <= MEMORY_MB
    if "list-latency" in results:
        found = results["list-latency"]
        ratio = _middle(found, "folder by folder", _wall)
        calls, rss = (median(map(of, _of(found, OURS))) for of in (_calls, _rss))
        text = "200,000 items listed and planned, with latency: ≤ 450 calls, 3 times as quick as folder by folder, ≤ 400 MB"
        yield text, f"{calls:.0f} calls, {ratio:.1f} times, {rss:.0f} MB", calls <= 450 and ratio >= 3 and rss <= 400
    yield from _increment_checks(results)
    pairs = [(key, rival) for key, each in results.items() if "rounds" in each for rival in _rivals(each)]
    for what, measure in (("wall time", _wall), ("API calls", _calls), ("API units", _units)):
        lost = [f"{k} ({r})" for k, r in pairs if _middle(results[k], r, measure) < 1]
        yield f"{what}: never worse, in any profile", f"worse in {', '.join(lost)}" if lost else "never worse", not lost


def _increment_checks(results: Results) -> Iterator[tuple[str, str, bool]]:
    found = results.get("increments")
    for way in _WITH_GOALS if found else ():
        text = _WAYS[way]
        ours, rival = (found[way][who] for who in (OURS, SYNC))
        units, wall = rival["units"] / ours["units"], ours["wall"] / rival["wall"]
        what = f"{found['items']:,} items, {text}"
        yield f"{what}: units ≤ 1/50 of rclone sync's", f"1/{units:,.0f}", units >= 50
        yield f"{what}: memory ≤ 512 MB", f"{ours['rss_mb']} MB", ours["rss_mb"] <= 512
        yield f"{what}: time ≤ 1/10 of rclone sync's", f"{wall:.2f} times", wall <= 0.1


def _ratios(results: Results) -> Iterator[str]:
    yield "\n## Ratios\n"
    yield "| profile | against | rounds | speed | CPU per file | memory | API calls | API units |\n|---|---|---|---|---|---|---|---|"
    for each in results.values():
        for rival in _rivals(each):
            cells = [_spread(each, rival, of) for of in (_wall, _cpu, _rss, _calls, _units)]
            yield f"| {_title(each)} | {rival} | {len(each['rounds'])} | {' | '.join(cells)} |"


def _numbers(results: Results) -> Iterator[str]:
    yield "\n## Numbers of this run, for orientation\n"
    yield (
        "| profile | who | files/s | MB/s | CPU a file, ms | peak MB | API calls | API units | Drive CPU, s | Blob CPU, s |"
        "\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for each in results.values():
        for name in dict.fromkeys(run["contender"] for runs in each["rounds"] for run in runs):
            runs = _of(each, name)
            middle: Callable[[Callable[[Run], float]], float] = lambda of, runs=runs: median(of(run) for run in runs)
            drive = middle(lambda run: run["servers"].get("drive", 0))
            blob = middle(lambda run: run["servers"].get("null_blob", 0) + run["servers"].get("azurite", 0))
            servers = f"{drive:.1f} | {blob:.1f}" if all(run["servers"] for run in runs) else "– | –"
            yield (
                f"| {_title(each)} | {name} | {middle(lambda r: r['files'] / r['wall']):,.0f} | "
                f"{middle(lambda r: r['bytes'] / r['wall'] / 1e6):,.0f} | {middle(_cpu) * 1e3:.2f} | "
                f"{middle(_rss):,.0f} | {middle(_calls):,.0f} | {middle(_units):,.0f} | {servers} |"
            )


def _steps(results: Results) -> Iterator[str]:
    names = ("start-up", "list", "plan", "copy", "commit")
    yield "\n## Where our time goes: seconds, seconds of CPU, and peak MB so far\n"
    yield f"| profile | {' | '.join(names)} |\n|---|---|---|---|---|---|"
    for each in results.values():
        # A listing alone has no such steps.
        runs = [run for run in _of(each, OURS) if run["detail"].get("cpu")]
        if runs:
            run = sorted(runs, key=_wall)[len(runs) // 2]
            cpu, peak, steps = (run["detail"][key] for key in ("cpu", "peak_mb", "seconds"))
            steps = {"start-up": run["wall"] - sum(steps.values()), **steps}
            cells = (f"{steps.get(name, 0):.1f}, {cpu.get(name, 0):.1f}, {peak.get(name, 0):.0f}" for name in names)
            yield f"| {_title(each)} | {' | '.join(cells)} |"


def _increments(results: Results) -> Iterator[str]:
    found = results.get("increments")
    if not found:
        return
    yield "\n## Again, when little has changed\n"
    yield (
        f"{found['items']:,} items, everything stored, with latency. Then the same again after {found['changed']:,} files "
        "were renamed, which copies nothing for us; rclone copies them again. Then with new content, which both copy. Ours is the whole backup: change feed, "
        "plan, a new catalogue and manifest. The first copy was laid down, not made, on both sides: see "
        "`benchmarks/increments.py`.\n"
    )
    yield (
        "| what changed | who | seconds | at Drive's quota, at least | seconds of CPU | peak MB | API calls | API units | "
        "downloads |\n|---|---|---|---|---|---|---|---|---|"
    )
    for way, text in _WAYS.items():
        for who, run in found.get(way, {}).items():
            yield (
                f"| {text} | {who} | {run['wall']} | {max(run['wall'], run['units'] / QUOTA):.0f} | {run['cpu']} | "
                f"{run['rss_mb']} | {run['calls']:,} | "
                f"{run['units']:,} | {run['downloads']:,} |"
            )


def _airflow(results: Results) -> Iterator[str]:
    if "airflow" not in results:
        return
    found, alone = results["airflow"], results.get("small-null-latency")
    yield "\n## Through Airflow\n"
    yield (
        "The small files with latency, through a real Airflow (LocalExecutor, PostgreSQL, all on the same cores), "
        f"{found['tasks']} tasks. The run took {found['wall']:.0f} s."
    )
    if alone is not None:
        for name in (OURS, *_rivals(alone)):
            wall = median(_wall(run) for run in _of(alone, name))
            yield f"That is {found['wall'] / wall:.1f} times the {wall:.0f} s of {'the engine alone' if name == OURS else name}."
    yield "\n| step | seconds |\n|---|---|"
    for name, seconds in found["steps"].items():
        yield f"| {name} | {seconds:.1f} |"


def _title(each: Run) -> str:
    blob = "" if each["tree"].startswith("a listing") else " to " + each["blob"].replace("_blob", "").capitalize()
    return f"{each['tree']}{blob}, {'with' if each['latency'] else 'no'} latency"


def _rivals(each: Run) -> list[str]:
    names = dict.fromkeys(run["contender"] for runs in each["rounds"] for run in runs)
    return [name for name in names if name != OURS] if OURS in names else []


def _of(each: Run, name: str) -> list[Run]:
    return [run for runs in each["rounds"] for run in runs if run["contender"] == name]


def _pairs(each: Run, rival: str, measure: Callable[[Run], float]) -> list[float]:
    """The rival's figure over ours, round by round: above 1 we are better."""
    pairs = zip(_of(each, rival), _of(each, OURS), strict=True)
    return [measure(theirs) / max(measure(own), 1e-9) for theirs, own in pairs]


def _middle(each: Run, rival: str, measure: Callable[[Run], float]) -> float:
    return median(_pairs(each, rival, measure))


def _spread(each: Run, rival: str, measure: Callable[[Run], float]) -> str:
    found = _pairs(each, rival, measure)
    low, high = min(found), max(found)
    spread = f" ({low:.2f} to {high:.2f})" if f"{low:.2f}" != f"{high:.2f}" else ""
    return f"{median(found):.2f}{spread}"


def _speed(each: Run, name: str) -> float:
    return median(run["files"] / run["wall"] for run in _of(each, name))


def _wall(run: Run) -> float:
    return float(run["wall"])


def _cpu(run: Run) -> float:
    return float(run["cpu"] / run["files"])


def _rss(run: Run) -> float:
    return float(run["rss_mb"])


def _calls(run: Run) -> float:
    return float(run["calls"])


def _units(run: Run) -> float:
    return float(run["units"])


if __name__ == "__main__":
    write(json.loads((ROOT / ".run" / "benchmarks.json").read_text()), ROOT / "docs" / "benchmarks.md")
