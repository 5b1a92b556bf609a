"""What may be spent in a day, kept in common by all tasks and runs of the day.

Each task keeps its running sum in Blob, as for what a run spends. What is left of the day is divided evenly among the
tasks that are at work, so that they may spend all of it and no more before they look again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

from include.drive_backup.errors import DailyQuotaError
from include.drive_backup.pacing import DOWNLOAD_UNITS, QuotaLimiter
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.quota.settings import QuotaSettings
from include.drive_backup.spent import RunningSum, Spent, read_sums

#: Google's quota days begin at midnight here.
DAY_ZONE = ZoneInfo("America/Los_Angeles")

MB, GB = 10**6, 10**9


class _Cap:
    """A budget of a day: of all jobs, or of one."""

    def __init__(self, name: str, job: str | None, units: int | None, gb: float | None) -> None:
        self.name, self.job, self.units = name, job, units
        self.bytes = None if gb is None else gb * GB


class DayBook:
    """One task's view of the day.

    :param prefix: with a slash at its end; the days are below it.
    """

    def __init__(
        self, store: BlobStore, prefix: str, limiter: QuotaLimiter, settings: QuotaSettings, clock: Clock
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._limiter = limiter
        self._job = settings.job
        self._clock = clock
        self._caps = (
            _Cap("limits", None, settings.units_per_day, settings.gb_per_day),
            _Cap(f"jobs.{settings.job}", settings.job, settings.job_units_per_day, settings.job_gb_per_day),
        )
        self._day = ""
        self._begun = Spent()
        self._sum: RunningSum | None = None

    async def settle(self, tasks: int) -> None:
        """Write down what we spent, and see what is left for us.

        :param tasks: how many share what is left.
        """
        if not any(cap.units or cap.bytes for cap in self._caps):
            return
        now = self._clock.now()
        if (day := now.astimezone(DAY_ZONE).date().isoformat()) != self._day:
            await self._turn_to(day)
        ours = self._total()
        if self._sum is not None:
            await self._sum.record(ours - self._begun)
        sums = await read_sums(self._store, f"{self._prefix}{day}/")
        bounds: dict[str, float] = {}
        refusal = None
        for cap in self._caps:
            spent = sum((each for each, labels in sums if cap.job in (None, labels.get("job"))), Spent())
            for resource, least, limit in (("units", DOWNLOAD_UNITS, cap.units), ("bytes", MB, cap.bytes)):
                if limit:
                    part = max(0.0, limit - getattr(spent, resource)) / max(tasks, 1)
                    bounds[resource] = min(bounds.get(resource, inf), getattr(ours, resource) + part)
                    refusal = refusal or (_used_up(cap.name, resource, now) if part < least else None)
        self._limiter.allow(bounds, refusal)

    async def _turn_to(self, day: str) -> None:
        if self._sum is not None:
            await self._sum.record(self._total() - self._begun)
        self._day, self._begun = day, self._total()
        self._sum = RunningSum(self._store, f"{self._prefix}{day}/", {"job": self._job})

    def _total(self) -> Spent:
        total = self._limiter.total
        return Spent(calls=int(total["queries"]), units=int(total["units"]), bytes=int(total["bytes"]))


def _used_up(section: str, resource: str, now: datetime) -> DailyQuotaError:
    key = f"{section}.{'units' if resource == 'units' else 'gb'}_per_day"
    return DailyQuotaError(
        f"The day's budget that {key} sets is used up. What is saved is saved; a run after "
        f"{day_end(now):%Y-%m-%d %H:%M} UTC goes on from there.",
        reason="dailyBudget",
    )


def day_end(now: datetime) -> datetime:
    """When Google's quota day ends, in UTC."""
    local = now.astimezone(DAY_ZONE)
    tomorrow = local.date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=DAY_ZONE).astimezone(UTC)
