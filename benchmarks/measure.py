"""One client, run as a process of its own: how long, how much CPU, how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Run:
    """What one run of one contender cost.

    :param wall: seconds from start to end, start-up included.
    :param cpu: seconds of CPU of the client.
    :param rss_mb: peak resident memory of the client, in MB.
    :param others: cores that were busy with neither client nor servers: foreign load.
    :param servers: seconds of CPU of each service.
    """

    contender: str
    files: int
    bytes: int
    wall: float
    cpu: float
    rss_mb: float
    calls: int
    units: int
    others: float
    load: float
    servers: dict[str, float] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


class ClientFailed(Exception):
    """A contender did not do its work; then there is nothing to compare."""


def timed(command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[str, float, float, float]:
    """Run a command; its standard error goes to a log.

    A small process starts it and measures: a child is charged with the memory of whoever started it, and this one may hold
    a Drive of 200,000 items.

    :return: what it printed, seconds, seconds of CPU, peak memory in MB.
    :raises ClientFailed: it ended with another code than 0.
    """
    helper = [sys.executable, "-m", "benchmarks.measure", str(log), *command]
    found = subprocess.run(helper, stdout=subprocess.PIPE, env=env, check=True, cwd=_ROOT)
    output, wall, cpu, rss, code = json.loads(found.stdout)
    if code != 0:
        raise ClientFailed(f"{' '.join(command[:4])} … ended with {code}. See {log}.")
    return output, wall, cpu, rss


def _measured(command: Sequence[str], log: Path) -> tuple[str, float, float, float, int]:
    """What a command printed, seconds, seconds of CPU, peak memory in MB, and its code."""
    began = time.monotonic()
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        assert process.stdout is not None
        output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    return output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, process.returncode


def busy() -> float:
    """Seconds of CPU that this machine has spent on anything."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[2:], Path(sys.argv[1]))))
