"""``make env``: write ``.env`` for docker compose, from ``.env.example`` with a fresh secret for each empty value."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

from include.demo.airflow import ROOT


def fresh(name: str) -> str:
    """A new secret; Airflow wants its Fernet key as 32 bytes in URL-safe base64."""
    if "FERNET" in name:
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_urlsafe(64)


def fill(example: str) -> str:
    """The example's lines, with secrets where the value is empty."""
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        is_empty = equals and not value.strip() and not line.lstrip().startswith("#")
        lines.append(f"{name}={fresh(name)}" if is_empty else line)
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
