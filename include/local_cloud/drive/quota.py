"""Drive's quota: units per minute for each user and for the project, or the older count of queries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import msgspec

from include.local_cloud.drive.errors import ApiError, by_reason

UNITS = {"get": 5, "list": 100, "download": 200, "edit": 50, "other": 5}


class Limits(msgspec.Struct):
    """What is allowed in a minute. ``None`` stands for no limit.

    :ivar user_units: for each user (Drive's default since 2026-05: 325,000).
    :ivar project_units: for all users together (1,000,000).
    :ivar user_queries: the older model, for each user (12,000); checked beside the units.
    :ivar project_queries: the older model, for all users.
    :ivar window_seconds: the length of the "minute"; tests that cannot wait make it shorter.
    :ivar use_429: answer 429 ``rateLimitExceeded`` instead of 403 ``userRateLimitExceeded``.
    """

    user_units: int | None = 325_000
    project_units: int | None = 1_000_000
    user_queries: int | None = None
    project_queries: int | None = None
    window_seconds: float = 60.0
    use_429: bool = False


class Quota:
    """Counts units in a sliding minute, approximated by two fixed ones, weighed by overlap."""

    def __init__(self, limits: Limits | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self.limits = limits or Limits()
        self.refused = 0
        self._window = -1
        self._now: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def charge(self, kind: str, user: str) -> int:
        """Count one call.

        :param kind: get, list, download, edit or other.
        :return: its units.
        :raises ApiError: 403 or 429 when the minute's budget is spent.
        """
        share = self._roll()
        units = UNITS[kind]
        limits = self.limits
        budgets = (
            (f"units {user}", units, limits.user_units),
            ("units", units, limits.project_units),
            (f"queries {user}", 1, limits.user_queries),
            ("queries", 1, limits.project_queries),
        )
        for name, amount, limit in budgets:
            if limit is not None and self._before[name] * share + self._now[name] + amount > limit:
                self.refused += 1
                raise self._refusal(per_user=name.endswith(user))
        for name, amount, _ in budgets:
            self._now[name] += amount
        return units

    def _roll(self) -> float:
        window, position = divmod(self._seconds(), self.limits.window_seconds)
        if window != self._window:
            self._before = self._now if window == self._window + 1 else Counter()
            self._now, self._window = Counter(), int(window)
        return 1 - position / self.limits.window_seconds

    def _refusal(self, *, per_user: bool) -> ApiError:
        if self.limits.use_429:
            return by_reason(429, "rateLimitExceeded")
        return by_reason(403, "userRateLimitExceeded" if per_user else "rateLimitExceeded")
