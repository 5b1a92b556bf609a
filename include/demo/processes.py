"""Processes that outlive the demo's command: started in groups of their own, remembered in pid files, stopped by them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from include.demo.errors import DemoError

GRACE = 25.0  # seconds; Azurite must write its tables before it goes, Airflow waits for its children


class Processes:
    """Named background processes of one demo.

    :param folder: where pid files and output go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], env: dict[str, str], cwd: Path) -> None:
        """Start a process in its own group; its output goes to ``<folder>/<name>.log``."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._children[name] = child
        (self._folder / f"{name}.pid").write_text(f"{child.pid} {_started(child.pid)}")

    def check(self) -> None:
        """See that what was started still runs.

        :raises DemoError: with the end of the output of one that does not.
        """
        for name, child in self._children.items():
            if child.poll() is not None:
                raise DemoError(f"{name} ended with code {child.returncode}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 8) -> str:
        """The end of a process's output."""
        file = self._folder / f"{name}.log"
        text = file.read_text(errors="replace") if file.exists() else ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def alive(self, name: str) -> bool:
        """Does the process of this name run?"""
        return self._pid(name) is not None

    def stop(self) -> list[str]:
        """Stop all, politely first; returns the names of those that ran."""
        pids = {file.stem: pid for file in self._folder.glob("*.pid") if (pid := self._pid(file.stem))}
        for pid in pids.values():
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(_alive(pid) for pid in pids.values()) and time.monotonic() < deadline:
            for child in self._children.values():
                child.poll()
            time.sleep(0.1)
        for pid in pids.values():
            _signal(pid, signal.SIGKILL)
        for file in self._folder.glob("*.pid"):
            file.unlink()
        return sorted(pids)

    def _pid(self, name: str) -> int | None:
        """The pid in the pid file, if it is still the process that was started then."""
        try:
            pid, started = (self._folder / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _alive(int(pid)) and _started(int(pid)) == started else None


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0] != "Z"
    return True


def _started(pid: int) -> str:
    """Start time of a process, so that a reused pid is not taken for ours; ``-`` where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[19]
    except (OSError, IndexError):
        return "-"
