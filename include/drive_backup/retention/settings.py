"""The ``retention:`` section of the config file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.schedules import CronLine, TimeZone

Count = Annotated[int, Field(ge=0)]


class KeepSettings(BaseModel):
    """How many snapshots of each kind are kept; see ``rules.Keep``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    within_days: Count = 0


class RetentionSettings(BaseModel):
    """What may be deleted, when, and when a person is asked first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: CronLine | None = "@weekly"
    timezone: TimeZone = "UTC"
    keep: KeepSettings = KeepSettings()
    sources: dict[str, KeepSettings] = Field({}, description="globs on sources; the first that fits, else `keep`")
    grace_days: Annotated[float, Field(ge=1)] = 7.0
    brake_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    leftover_days: Annotated[float, Field(ge=14)] = 30.0
    approval_hours: Annotated[float, Field(gt=0)] = 72.0

    @property
    def active(self) -> bool:
        """Whether any keep rule is set: without one nothing may go, and nothing is scheduled."""
        return any(not self.keep_of(source).empty for source in ("", *self.sources))

    def keep_of(self, source: str) -> Keep:
        """The keep rules of a source."""
        found = next((keep for glob, keep in self.sources.items() if fnmatchcase(source, glob)), self.keep)
        return Keep(**found.model_dump())

    def policy(self, source: str) -> Policy:
        """The policy for a source."""
        return Policy(
            keep=self.keep_of(source),
            grace_days=self.grace_days,
            brake_percent=self.brake_percent,
            timezone=self.timezone,
        )
