"""What was asked of this Drive, for tests and for the demo."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Stats:
    """Counters since the start or the last reset. ``calls`` also counts admitted calls that failed."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.downloads: Counter[str] = Counter()
        self.bytes_out = 0
        self.bytes_in = 0
        self.in_flight = 0
        self.max_in_flight = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "calls": dict(self.calls),
            "totalCalls": self.calls.total(),
            "units": self.units.total(),
            "unitsByUser": dict(self.units),
            "errors": dict(self.errors),
            "downloads": dict(self.downloads),
            "bytesOut": self.bytes_out,
            "bytesIn": self.bytes_in,
            "inFlight": self.in_flight,
            "maxInFlight": self.max_in_flight,
        }
