"""What the demo asks of the local Drive beside serving files."""

from __future__ import annotations

from typing import Any

import requests

from include.demo.config import UNITS_PER_MINUTE


def admin(url: str, path: str, body: Any = None) -> Any:
    """Call one of the local Drive's ``/_admin`` endpoints; a body makes it a POST."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request("GET" if body is None else "POST", f"{url}/_admin/{path}", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def open_quota(url: str) -> None:
    """Widen the local Drive's quota, so that a demo shows the copying and not Google's limits."""
    admin(url, "quota", {"user_units": UNITS_PER_MINUTE, "project_units": UNITS_PER_MINUTE})


def not_served(url: str) -> dict[str, str]:
    """Paths of a served folder that a Drive has nothing like (links out of it, pipes …), with the reason."""
    found: dict[str, str] = admin(url, "stats").get("unlisted") or {}
    return found
