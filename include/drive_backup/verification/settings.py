"""The ``verification:`` section of the config file."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import available_timezones

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, field_validator


class VerificationSettings(BaseModel):
    """When the container is checked, and how deeply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: str | None = "0 6 * * 6"
    timezone: str = "UTC"
    after_backups: bool = True
    read: Literal["none", "sample", "all"] = "sample"
    period_days: Annotated[int, Field(ge=1, le=366)] = Field(28, description="samples cover everything in it")
    drill_mb: Annotated[int, Field(ge=0, le=10_000)] = Field(100, description="restored as a drill; 0: none")
    batch_mb: Annotated[int, Field(ge=1)] = Field(20_000, description="what one task reads, about")

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, value: str | None) -> str | None:
        if value is not None and not croniter.is_valid(value):
            raise ValueError("a cron line such as '0 6 * * 6', a preset such as @weekly, or null")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("a time zone name such as UTC or Europe/Berlin")
        return value
