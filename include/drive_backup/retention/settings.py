"""The ``retention:`` section of the config file."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.retention.tiers import SETTLED_DAYS, TierRules
from include.drive_backup.schedules import CronLine, TimeZone

#: A hundred years: dates further away than that cannot be reckoned with.
MOST_DAYS = 36_500
#: Of periods: more than there are hours in a hundred years.
MOST_PERIODS = 1_000_000
Count = Annotated[int, Field(ge=0, le=MOST_PERIODS)]
Days = Annotated[float, Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)]


class KeepSettings(BaseModel):
    """How many snapshots of each kind are kept; see ``rules.Keep``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    within_days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 0


class TierSettings(BaseModel):
    """When content moves to a cooler tier; see ``tiers.TierRules``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cool_days: Days | None = Field(None, description="days after it was written; null: never")
    cold_days: Days | None = None
    archive_days: Annotated[Days, Field(ge=SETTLED_DAYS)] | None = None

    @model_validator(mode="after")
    def _order(self) -> Self:
        days = [each for each in (self.cool_days, self.cold_days, self.archive_days) if each is not None]
        if any(later <= sooner for sooner, later in itertools.pairwise(days)):
            raise ValueError("a colder tier needs more days: cool_days < cold_days < archive_days")
        return self


class RetentionSettings(BaseModel):
    """What may be deleted or moved, when, and when a person is asked first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: CronLine | None = "@weekly"
    timezone: TimeZone = "UTC"
    keep: KeepSettings = KeepSettings()
    sources: dict[str, KeepSettings] = Field({}, description="globs on sources; the first that fits, else `keep`")
    tiers: TierSettings = TierSettings()
    grace_days: Annotated[Days, Field(ge=1)] = 7.0
    brake_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    leftover_days: Annotated[Days, Field(ge=14)] = 30.0
    approval_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 72.0

    @property
    def active(self) -> bool:
        """Whether any rule is set: without a keep rule nothing may go, without any nothing is scheduled."""
        return not self.tier_rules.empty or any(not self.keep_of(source).empty for source in ("", *self.sources))

    @property
    def tier_rules(self) -> TierRules:
        """What moves to cooler tiers."""
        return TierRules(**self.tiers.model_dump())

    def keep_of(self, source: str) -> Keep:
        """The keep rules of a source."""
        found = next((keep for glob, keep in self.sources.items() if fnmatchcase(source, glob)), self.keep)
        return Keep(**found.model_dump())

    def policy(self, source: str, *, approved: bool) -> Policy:
        """The policy for a source.

        :param approved: a person has seen what these rules delete in this container.
        """
        return Policy(
            keep=self.keep_of(source),
            grace_days=self.grace_days,
            brake_percent=self.brake_percent,
            timezone=self.timezone,
            tiers=self.tier_rules,
            approved=approved,
        )
