"""The stand-in's clock, which tests move and stop."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class AdjustableClock:
    """Milliseconds since 1970 (UTC), as Drive counts time; real until it is moved or stopped."""

    def __init__(self) -> None:
        self._offset_ms = 0
        self._frozen_ms: int | None = None

    def now(self) -> int:
        """Milliseconds since 1970."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        return time.time_ns() // 1_000_000 + self._offset_ms

    def move(self, offset_ms: int) -> None:
        """Run on, this many milliseconds away from the real time."""
        self._offset_ms, self._frozen_ms = offset_ms, None

    def freeze(self, moment_ms: int) -> None:
        """Stand still at a moment."""
        self._frozen_ms = moment_ms


def to_text(moment_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, as Drive writes times."""
    seconds, millis = divmod(moment_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def from_text(text: str) -> int:
    """Read RFC 3339; UTC unless an offset is given.

    :raises ValueError: when the text is no time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
