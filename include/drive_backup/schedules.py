"""Schedules and time zones as people write them in the config file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from croniter import CroniterError, croniter
from pydantic import AfterValidator

from include.drive_backup.errors import ConfigError
from include.drive_backup.moments import read_zone

PRESETS = ("@daily", "@hourly", "@monthly", "@quarterly", "@weekly", "@yearly")


def _cron_line(value: str) -> str:
    if value not in PRESETS and not croniter.is_valid(value):
        raise ValueError(f"a cron line such as '0 2 * * *', one of {', '.join(PRESETS)}, or null")
    try:
        croniter(value).get_next()
    except CroniterError:
        raise ValueError(f"a cron line of times that there are: no day is one of {value!r}") from None
    return value


def _time_zone(value: str) -> str:
    try:
        read_zone(value)
    except ConfigError:
        raise ValueError("a time zone name such as UTC or Europe/Berlin") from None
    return value


def common_zone(names: Iterable[str]) -> str:
    """The time zone that all agree on, else UTC."""
    found = set(names)
    return found.pop() if len(found) == 1 else "UTC"


CronLine = Annotated[str, AfterValidator(_cron_line)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
