"""The ``verification:`` section of the config file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from include.drive_backup.schedules import CronLine, TimeZone


class VerificationSettings(BaseModel):
    """When the container is checked, and how deeply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: CronLine | None = "0 6 * * 6"
    timezone: TimeZone = "UTC"
    after_backups: bool = True
    read: Literal["none", "sample", "all"] = "sample"
    period_days: Annotated[int, Field(ge=1, le=366)] = Field(28, description="samples cover everything in it")
    drill_mb: Annotated[int, Field(ge=0, le=10_000)] = Field(100, description="restored as a drill; 0: none")
    batch_mb: Annotated[int, Field(ge=1)] = Field(20_000, description="what one task reads, about")
