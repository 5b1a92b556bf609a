"""``make env``: write ``.env`` for docker compose, from ``.env.example`` with fresh secrets."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from include.demo.airflow import ROOT

MAKERS: dict[str, Callable[[], str]] = {
    "token": lambda: secrets.token_urlsafe(24),
    "long-token": lambda: secrets.token_urlsafe(64),
    "base64": lambda: base64.b64encode(os.urandom(64)).decode(),
    "fernet": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
}


def fill(example: str) -> str:
    """The example's lines; a value below ``# generate: <kind>`` is made."""
    lines: list[str] = []
    kind = ""
    for line in example.splitlines():
        name, equals, _ = line.partition("=")
        if kind and equals:
            line = f"{name}={MAKERS[kind]()}"  # noqa: PLW2901 - the line as it is written
        kind = line.partition("# generate:")[2].strip()
        lines.append(line)
    return "\n".join(lines) + "\n"


def main(target: Path = ROOT / ".env") -> int:
    """Write the file; an existing one is kept, as its secrets may be in use."""
    if target.exists():
        sys.stdout.write(f"{target.name} exists and is kept. Remove it first if you want new secrets.\n")
        return 0
    target.touch(mode=0o600)
    target.write_text(fill((ROOT / ".env.example").read_text()))
    sys.stdout.write(f"Wrote {target.name} with fresh secrets. Keep it out of version control.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
