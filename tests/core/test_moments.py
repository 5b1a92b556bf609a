"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup import moments
from include.drive_backup.errors import ConfigError
from include.drive_backup.moments import read_moment, read_zone

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-21", UTC, "2026-11-21T23:59:59.999+00:00"),
        ("20261121", UTC, "2026-11-21T23:59:59.999+00:00"),
        (" 2026-11-21 ", BERLIN, "2026-11-21T22:59:59.999+00:00"),
        # Days on which the clocks change.
        ("2026-03-29", BERLIN, "2026-03-29T21:59:59.999+00:00"),
        ("2026-10-25", BERLIN, "2026-10-25T22:59:59.999+00:00"),
        ("2026-11-21T18:00", UTC, "2026-11-21T18:00+00:00"),
        ("2026-11-21 18:00", BERLIN, "2026-11-21T17:00+00:00"),
        ("2026-11-21T18:00+05:00", BERLIN, "2026-11-21T13:00+00:00"),
        ("2026-11-21T00:00", BERLIN, "2026-11-20T23:00+00:00"),
    ],
)
def test_a_date_is_its_end_and_a_time_is_in_the_zone_that_is_said(text, zone, instant):
    assert read_moment(text, zone) == datetime.fromisoformat(instant)


def test_a_date_can_be_its_beginning():
    assert read_moment("2026-11-21", BERLIN, "begin") == datetime(2026, 11, 20, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11", "9999-12-31", "0000-01-01", "1" * 50, "2026-02-30"])
def test_what_is_no_time_is_none(text):
    assert read_moment(text, UTC) is None


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21T18:00"])
def test_where_a_zone_has_to_be_named_it_has_to(text):
    assert read_moment(text, None) is None
    assert read_moment("2026-11-21T18:00Z", None) == datetime(2026, 11, 21, 18, tzinfo=UTC)


@given(
    st.dates(min_value=date(1971, 1, 1), max_value=date(2100, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns"]),
)
def test_a_day_ends_right_before_the_next_one_begins(day, name):
    zone = read_zone(name)
    begin_of_next = read_moment((day + timedelta(days=1)).isoformat(), zone, "begin")
    assert read_moment(day.isoformat(), zone) + timedelta(milliseconds=1) == begin_of_next


def test_a_machine_without_time_zones_knows_utc_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(moments, "available_timezones", set)
    assert read_zone("UTC") is UTC
    with pytest.raises(ConfigError, match="pip install tzdata"):
        read_zone("Europe/Berlin")


def test_a_zone_that_there_is_not_is_a_sentence():
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        read_zone("Mars/North")
