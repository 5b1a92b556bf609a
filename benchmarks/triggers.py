"""``python -m benchmarks.triggers``: how long the demo's Airflow takes to answer while runs are triggered and tasks start.

The demo must run (``make demo``). Each thread triggers a run and reads its tasks, one request after the other.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from include.demo.world import World, folder_for

#: Seconds that a person may wait for a page.
SLOWEST = 5.0


def _timed(call) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def main() -> None:
    """Print the number of requests and how long they took. A request that fails ends this with its error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--port", type=int, default=8080, help="of the demo's Airflow")
    parser.add_argument("--drive-root", type=Path, help="of the demo, if it has one")
    parser.add_argument("--dag", default="google_drive_verify")
    given = parser.parse_args()
    world = World(folder_for(given.drive_root), given.port)
    world.api.unpause(given.dag)

    def trigger(_: int) -> list[float]:
        api, runs = world.api, []
        took = [_timed(lambda: runs.append(api.trigger(given.dag, {})))]
        return [*took, _timed(lambda: api.tasks(given.dag, runs[0]))]

    with ThreadPoolExecutor(given.threads) as pool:
        times = sorted(seconds for pair in pool.map(trigger, range(given.triggers)) for seconds in pair)
    print(f"{len(times)} requests, none failed: median {times[len(times) // 2]:.2f} s, slowest {times[-1]:.2f} s")
    if times[-1] > SLOWEST:
        sys.exit(f"A request took more than {SLOWEST:g} s.")


if __name__ == "__main__":
    main()
