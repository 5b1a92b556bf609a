"""Which snapshots are kept, and why."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.model import format_instant
from include.drive_backup.retention.rules import Candidate, Keep, judge

GOLDEN = Path(__file__).parent / "golden"


def snapshot(moment, generation=1, status="complete", held=(), late=False, damaged=0):
    instant = format_instant(moment)
    name = instant if generation == 1 else f"{instant}.{generation}"
    return Candidate(
        name=name,
        instant=instant,
        generation=generation,
        status=status,
        held=tuple(held),
        late=late,
        damaged=damaged,
    )


def days(*numbers, hour=2, **facts):
    return [snapshot(datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=n), **facts) for n in numbers]


def kept(verdicts):
    return [each.snapshot.name[:8] for each in verdicts if each.kept]


def three_years():
    """A snapshot a day, some days with two, some partial, one week missing, one held."""
    snapshots = days(*(n for n in range(1095) if not 700 <= n < 707))
    snapshots += days(10, 500, 1094, hour=14)
    snapshots += [snapshot(datetime(2028, 3, n, 20, tzinfo=UTC), status="partial") for n in (1, 2)]
    snapshots += days(42, hour=3, held=["case-7"])
    return snapshots


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        ("last", Keep(last=3)),
        ("daily_and_weekly", Keep(daily=7, weekly=4)),
        ("grandfather", Keep(daily=7, weekly=5, monthly=12, yearly=3)),
        ("hourly", Keep(hourly=4)),
        ("within", Keep(within_days=2)),
        ("everything", Keep(last=2, hourly=2, daily=2, weekly=2, monthly=2, yearly=2, within_days=1)),
    ],
)
def test_reasons_are_those_of_the_golden_file(name, keep):
    found = {each.snapshot.name: list(each.reasons) for each in judge(three_years(), keep) if each.kept}
    file = GOLDEN / f"{name}.json"
    assert found == json.loads(file.read_text())


def test_no_rule_at_all_lets_nothing_go():
    assert all(each.kept for each in judge(days(1, 2, 3), Keep()))


def test_the_newest_complete_one_and_all_after_it_stay():
    snapshots = [*days(1, 2, 3), *days(4, 5, status="partial")]
    assert kept(judge(snapshots, Keep(yearly=1))) == ["20260106", "20260105", "20260104"]


def test_a_period_is_represented_by_its_newest_complete_snapshot():
    snapshots = [*days(1, hour=2), *days(1, hour=20, status="partial"), *days(2)]
    [first] = [
        each for each in judge(snapshots, Keep(daily=2)) if each.snapshot.name.startswith("20260102") and each.kept
    ]
    assert first.snapshot.status == "complete"


def test_a_period_with_only_partial_ones_keeps_its_newest():
    snapshots = [*days(1, hour=2, status="partial"), *days(1, hour=20, status="partial"), *days(2)]
    verdicts = judge(snapshots, Keep(daily=2))
    assert [each.snapshot.moment.hour for each in verdicts if each.kept] == [2, 20]


def test_of_the_generations_of_an_instant_the_one_that_readers_take_stays():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    snapshots = [snapshot(moment, 1), snapshot(moment, 2), snapshot(moment, 3, "partial"), *days(5)]
    assert [each.snapshot.generation for each in judge(snapshots, Keep(daily=9)) if each.kept] == [1, 2]


def test_a_late_snapshot_takes_no_period_from_one_made_on_time():
    snapshots = [*days(1, hour=2), *days(1, hour=12, late=True), *days(1, hour=20, status="partial"), *days(9)]
    keep = Keep(hourly=1, daily=2, weekly=2, monthly=1)
    assert [each.snapshot.moment.hour for each in judge(snapshots, keep) if each.kept] == [2, 2]


def test_of_one_instant_the_generation_made_on_time_stays():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    snapshots = [snapshot(moment, 1), snapshot(moment, 2, late=True), *days(5)]
    assert [each.snapshot.generation for each in judge(snapshots, Keep(daily=9)) if each.kept] == [1, 1]


def test_a_late_complete_one_stands_beside_a_partial_one_made_on_time():
    """Neither has all: the late one may lack what was gone by then, the partial one what failed."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    snapshots = [snapshot(moment, 1, "partial"), snapshot(moment, 2, late=True), *days(5)]
    for keep in (Keep(daily=2), Keep(last=2), Keep(within_days=9)):
        assert [each.snapshot.generation for each in judge(snapshots, keep) if each.kept] == [1, 2, 1]


def test_a_late_newest_one_does_not_cost_the_newest_made_on_time():
    snapshots = [*days(1, 2), *days(3, 4, late=True)]
    assert kept(judge(snapshots, Keep(last=1))) == ["20260105", "20260103"]


def test_a_damaged_newest_one_does_not_cost_the_newest_that_is_whole():
    snapshots = [*days(1, 2), *days(3, 4, damaged=1)]
    assert kept(judge(snapshots, Keep(last=1))) == ["20260105", "20260103"]
    assert kept(judge([*days(3, damaged=1), *days(4, damaged=2)], Keep(last=1))) == ["20260105", "20260104"]
    assert kept(judge([*days(1), *days(1, hour=9, damaged=1), *days(4)], Keep(daily=2))) == ["20260105", "20260102"]


def test_where_all_are_late_the_rules_hold_as_ever():
    assert kept(judge(days(1, 2, 3, late=True), Keep(last=1))) == ["20260104"]


def test_days_begin_where_the_user_lives():
    snapshots = [snapshot(datetime(2026, 1, 1, hour, tzinfo=UTC)) for hour in (5, 6, 7, 8)]
    assert len([each for each in judge(snapshots, Keep(daily=5)) if each.kept]) == 1
    zone = ZoneInfo("America/Los_Angeles")
    assert [each.snapshot.moment.hour for each in judge(snapshots, Keep(daily=5), zone) if each.kept] == [8, 7]


MOMENTS = st.integers(0, 3 * 366 * 24).map(lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
SNAPSHOTS = st.lists(
    st.builds(
        snapshot,
        MOMENTS,
        st.integers(1, 3),
        st.sampled_from(["complete", "partial"]),
        late=st.booleans(),
        damaged=st.integers(0, 2),
    ),
    max_size=40,
    unique_by=lambda each: each.name,
)
KEEPS = st.builds(
    Keep,
    last=st.integers(0, 3),
    hourly=st.integers(0, 3),
    daily=st.integers(0, 9),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 5),
    yearly=st.integers(0, 3),
    within_days=st.integers(0, 99),
)


@given(SNAPSHOTS, KEEPS)
def test_what_has_a_reason_has_it_again_when_the_rest_is_gone(snapshots, keep):
    """Applying a plan and judging again forgets nothing further."""
    first = [each.snapshot for each in judge(snapshots, keep) if each.kept]
    assert [each.snapshot for each in judge(first, keep) if each.kept] == first


@given(SNAPSHOTS, KEEPS)
def test_the_state_of_now_is_never_forgotten(snapshots, keep):
    left = [each.snapshot for each in judge(snapshots, keep) if each.kept]
    complete = [each for each in snapshots if each.status == "complete"]
    newest = max(complete, key=lambda each: (each.instant, each.generation), default=None)
    assert newest is None or newest in left
    later = [
        each
        for each in snapshots
        if newest is None or (each.instant, each.generation) > (newest.instant, newest.generation)
    ]
    assert all(each in left for each in later)


@given(SNAPSHOTS, KEEPS, st.randoms())
def test_order_is_no_matter(snapshots, keep, random):
    shuffled = list(snapshots)
    random.shuffle(shuffled)
    assert judge(shuffled, keep) == judge(snapshots, keep)


@given(SNAPSHOTS, KEEPS)
def test_more_rules_never_keep_less(snapshots, keep):
    def names(rules):
        return {each.snapshot.name for each in judge(snapshots, rules) if each.kept}

    if not keep.empty:
        more = Keep(**{field: getattr(keep, field) + 1 for field in Keep.__struct_fields__})
        assert names(keep) <= names(more)


def _whole(each):
    return each.status == "complete" and not each.late and not each.damaged


@given(SNAPSHOTS, st.sampled_from([("daily", "%Y-%m-%d"), ("monthly", "%Y-%m"), ("yearly", "%Y")]))
def test_what_lacks_something_displaces_in_no_period_what_lacks_nothing(snapshots, rule):
    name, unit = rule
    left = {each.snapshot.name for each in judge(snapshots, Keep(**{name: 99})) if each.kept}
    newest = {}
    for each in sorted(filter(_whole, snapshots), key=lambda each: (each.instant, each.generation)):
        newest[f"{each.moment:{unit}}"] = each.name
    assert set(newest.values()) <= left


@given(SNAPSHOTS, KEEPS)
def test_whatever_the_rules_the_newest_that_lacks_nothing_stays(snapshots, keep):
    left = {each.snapshot.name for each in judge(snapshots, keep) if each.kept}
    whole = sorted(filter(_whole, snapshots), key=lambda each: (each.instant, each.generation))
    assert not whole or whole[-1].name in left
