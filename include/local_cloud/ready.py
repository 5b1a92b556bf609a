"""How a service says that it is ready, or why it cannot be: one line of JSON, or one sentence and exit code 2."""

from __future__ import annotations

import errno
import json
import sys
from typing import NoReturn

CANNOT_START = 2


def announce(service: str, **facts: str) -> None:
    """Write the ready line that the supervisor waits for."""
    sys.stdout.write(json.dumps({"service": service, **facts}) + "\n")
    sys.stdout.flush()


def fail(sentence: str) -> NoReturn:
    """Say why there is no service, and end."""
    sys.stderr.write(sentence + "\n")
    sys.exit(CANNOT_START)


def port_taken(error: OSError, service: str, host: str, port: int) -> str:
    """A sentence for a listener that could not be opened."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"{service} cannot listen on {host}:{port}: the port is taken. Stop what uses it, or choose another port."
        )
    return f"{service} cannot listen on {host}:{port}: {error.strerror or error}."


def advertised(host: str) -> str:
    """The name that clients use for a server that listens on ``host``."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host
