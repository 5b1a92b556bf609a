"""Child processes that serve: started in a group of their own, awaited, logged, and surely stopped."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil  # type: ignore[import-untyped]

_PR_SET_PDEATHSIG = 1
#: Seconds that the copying of a child's last output may take.
_LAST_WORDS = 10.0
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServiceError(Exception):
    """A service cannot be started; the text is a sentence for a person."""


class Running(NamedTuple):
    """A service that a PID file tells of, and that is alive."""

    name: str
    pid: int
    url: str


class Service:
    """A running child.

    :param info: the fields of its ready line.
    :param log: where everything that it writes goes.
    """

    def __init__(
        self, name: str, process: subprocess.Popen[str], info: Mapping[str, str], log: Path, drain: threading.Thread
    ) -> None:
        self.name = name
        self.info = info
        self.log = log
        self._drain = drain
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self, grace: float = 10) -> None:
        """Ask it to end, once: Azurite's second SIGTERM would be its last. Kill the group when it does not.

        :param grace: seconds to wait before killing.
        """
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
        # What it wrote last is in the log now. Not for ever: who inherited its output may live on.
        self._drain.join(_LAST_WORDS)
        _pid_file(self.log.parent, self.name).unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once, with its group and without a good-bye."""
        _kill_group(self._process)


def start(
    name: str,
    command: Sequence[str],
    *,
    state: Path,
    timeout: float = 90,
    env: Mapping[str, str] | None = None,
) -> Service:
    """Start a service and wait for its ready line, one line of JSON with the key ``service``.

    On Linux the child is asked to end when the thread that called this ends: call it from one that lives as long as
    the service shall.

    :param name: names the log and the PID file.
    :param state: folder for both.
    :param timeout: seconds to wait for the ready line.
    :param env: variables on top of this process's own.
    :raises ServiceError: with what the child said when it does not get ready.
    """
    state.mkdir(parents=True, exist_ok=True)
    _refuse_second(name, state)
    log = state / f"{name}.log"
    process = _spawn(command, log, env)
    try:
        info, drain = _await_ready(name, process, log, timeout)
    except BaseException:
        _kill_group(process)
        raise
    created = psutil.Process(process.pid).create_time()
    record = {"name": name, "pid": process.pid, "created": created, "url": info.get("url", "")}
    _pid_file(state, name).write_text(json.dumps(record))
    return Service(name, process, info, log, drain)


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this project with this Python."""
    return [sys.executable, "-m", name, *arguments]


def running(state: Path) -> list[Running]:
    """The services that were started with this folder and are alive."""
    found = []
    for path in sorted(state.glob("*.pid.json")):
        record = _read_record(path)
        if record is not None and _is_alive(record["pid"], record["created"]):
            found.append(Running(record["name"], record["pid"], record["url"]))
    return found


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent() -> None:
    """Have this process get SIGTERM when its parent's thread ends (prctl(2)). Linux only; elsewhere nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _spawn(command: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    with log.open("a") as sink:
        sink.write(f"$ {shlex.join(command)}\n")
        sink.flush()
        return subprocess.Popen(  # noqa: S603 - our own modules and Node, named by us
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, in a library that is loaded already
        )


def _await_ready(
    name: str, process: subprocess.Popen[str], log: Path, timeout: float
) -> tuple[dict[str, str], threading.Thread]:
    ready: queue.Queue[dict[str, str] | None] = queue.Queue()
    start_of_output = log.stat().st_size
    drain = threading.Thread(target=_drain, args=(process, log, ready), name=f"drain-{name}", daemon=True)
    drain.start()
    try:
        info = ready.get(timeout=timeout)
    except queue.Empty:
        raise ServiceError(f"{name} was not ready within {timeout:.0f} seconds. See {log}.") from None
    if info is None:
        process.wait()
        raise ServiceError(_last_words(name, log, start_of_output))
    return info, drain


def _drain(process: subprocess.Popen[str], log: Path, ready: queue.Queue[dict[str, str] | None]) -> None:
    """Copy the child's output to the log, so that it never blocks; hand on the ready line, or None at its end."""
    output: IO[str] = process.stdout  # type: ignore[assignment]
    with output, log.open("a", buffering=1) as sink:
        for line in output:
            info = _ready_line(line)
            if info is None:
                sink.write(line)
            else:  # it may hold keys, which are nothing for a log
                ready.put(info)
    ready.put(None)


def _ready_line(line: str) -> dict[str, str] | None:
    if not line.startswith("{"):
        return None
    try:
        info = json.loads(line)
    except ValueError:
        return None
    return info if "service" in info else None


def _last_words(name: str, log: Path, start_of_output: int) -> str:
    """The child's own sentence if it gave one; else where to look."""
    with log.open() as file:
        file.seek(start_of_output)
        lines = [line.strip() for line in file if line.strip()]
    said = lines[-1] if lines else "It said nothing."
    return said if len(lines) == 1 else f"{name} ended before it was ready: {said} See {log}."


def _kill_group(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _refuse_second(name: str, state: Path) -> None:
    for other in running(state):
        if other.name == name:
            raise ServiceError(
                f"{name} runs already with the state folder {state} (process {other.pid}). "
                "Stop it first, or use another folder."
            )


def _pid_file(state: Path, name: str) -> Path:
    return state / f"{name}.pid.json"


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record


def _is_alive(pid: int, created: float) -> bool:
    """A PID is used again; together with the time of creation it is not."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
