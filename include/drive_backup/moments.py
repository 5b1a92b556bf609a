"""Times as people write them: a date, or a time with a zone or without. Every command and form reads them here."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from include.drive_backup.errors import ConfigError

_LONGEST = 40
_TICK = timedelta(milliseconds=1)


def read_zone(name: str) -> tzinfo:
    """A time zone by its name.

    :raises ConfigError: there is none of this name.
    """
    if name == "UTC":
        # Also where the machine has no time zone database.
        return UTC
    known = available_timezones()
    if not known:
        raise ConfigError("This machine knows no time zone but UTC; `pip install tzdata` brings them, on Windows say.")
    if name not in known:
        raise ConfigError(f"'{name}' is no time zone; write a name such as UTC or Europe/Berlin.")
    return ZoneInfo(name)


def read_moment(text: str, zone: tzinfo | None, day: Literal["begin", "end"] = "end") -> datetime | None:
    """A time in ISO 8601, in UTC; None: it is none, or names no zone where it has to.

    :param zone: in which dates, and times that name no zone, are; None: there has to be a time that names one.
    :param day: what a date without a time means: its first or its last millisecond.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        moment = _of_day(date.fromisoformat(text), zone, day) if _is_date(text) else datetime.fromisoformat(text)
        if moment is None or (moment.tzinfo is None and zone is None):
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_day(day: date, zone: tzinfo | None, which: Literal["begin", "end"]) -> datetime | None:
    if zone is None:
        return None
    if which == "begin":
        return datetime.combine(day, time(), zone)
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC) - _TICK
