"""``make env``: write ``.env`` for docker compose from ``.env.example``, with fresh secrets."""

from __future__ import annotations

import base64
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]

MAKE: dict[str, Callable[[], str]] = {
    "token": lambda: secrets.token_urlsafe(24),
    "long-token": lambda: secrets.token_urlsafe(64),
    "base64": lambda: base64.b64encode(secrets.token_bytes(64)).decode(),
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}


def fill(example: str) -> str:
    """The example with a secret behind every ``# generate: <kind>``."""
    return re.sub(
        r"^# generate: (\S+)\n(\w+)=$",
        lambda found: f"{found[2]}={MAKE[found[1]]()}",
        example,
        flags=re.MULTILINE,
    )


def write(folder: Path = ROOT) -> str:
    """Write ``.env`` and say so. An old one is kept, because its secrets open what is stored."""
    target = folder / ".env"
    try:
        with target.open("x", encoding="utf-8") as file:
            target.chmod(0o600)
            file.write(fill((folder / ".env.example").read_text(encoding="utf-8")))
    except FileExistsError:
        return ".env is there already and stays as it is: its secrets open what is stored. Delete it to have a new one."
    return ".env is written. Next: docker compose up --build"


if __name__ == "__main__":
    sys.stdout.write(write() + "\n")
