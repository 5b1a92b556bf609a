"""Processes that outlive the demo: started in sessions of their own, remembered in pid files, stopped by those."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from include.demo.errors import DemoError
from include.demo.signals import held_back

DATABASE = "database"
#: What the others use, and so the last to be stopped.
SERVICES = ("cloud", DATABASE)
GRACE = 40.0  # seconds; Azurite must write its tables before it goes, Airflow waits for its children


class Processes:
    """Named background processes of one demo.

    :param folder: where pid files and output go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._once: set[str] = set()

    def start(self, name: str, command: list[str], env: dict[str, str], cwd: Path, *, once: bool = False) -> None:
        """Start a process in its own session; its output goes to ``<folder>/<name>.log``. For the main thread.

        :param once: it has one thing to do, and ends.
        """
        self._once |= {name} if once else set()
        self._folder.mkdir(parents=True, exist_ok=True)
        # A process that no pid file tells of would never be stopped.
        with (self._folder / f"{name}.log").open("wb") as log, held_back():
            child = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            self._children[name] = child
            # With the start time, so that a pid that was used again is not taken for ours.
            (self._folder / f"{name}.pid").write_text(f"{child.pid} {psutil.Process(child.pid).create_time()}")

    def done(self, name: str) -> bool:
        """Has a process that had one thing to do done it? True too when it was not started."""
        child = self._children.get(name)
        return child is None or child.poll() == 0

    def check(self) -> None:
        """See that what was started still runs, or did what it had to do.

        :raises DemoError: with the end of the output of one that does not.
        """
        for name, child in self._children.items():
            if child.poll() is not None and not (name in self._once and child.returncode == 0):
                raise DemoError(f"{name} could not run (code {child.returncode}):\n{self.tail(name)}")

    def output(self, name: str) -> str:
        """What a process wrote so far."""
        file = self._folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def tail(self, name: str, lines: int = 8) -> str:
        """The end of a process's output."""
        return "\n".join(self.output(name).strip().splitlines()[-lines:])

    def alive(self, name: str) -> bool:
        """Does the process of this name run?"""
        return self._process(name) is not None

    def stop(self) -> list[str]:
        """Stop all with their children, politely first; returns the names of those that ran."""
        running = {file.stem: found for file in self._folder.glob("*.pid") if (found := self._process(file.stem))}
        # Airflow's parts first. Each gets one SIGTERM and stops its own children.
        _end([process for name, process in running.items() if name not in SERVICES])
        _end([process for name, process in running.items() if name in SERVICES])
        for file in self._folder.glob("*.pid"):
            file.unlink()
        return sorted(running)

    def _process(self, name: str) -> psutil.Process | None:
        """The process of the pid file, if it is still the one that was started then."""
        try:
            pid, started = (self._folder / f"{name}.pid").read_text().split()
            process = psutil.Process(int(pid))
            same = process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process if same else None


def _end(processes: list[psutil.Process]) -> None:
    family = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            family += process.children(recursive=True)
            process.terminate()
    psutil.wait_procs(processes, timeout=GRACE)
    for process in [*processes, *family]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([*processes, *family], timeout=5)
