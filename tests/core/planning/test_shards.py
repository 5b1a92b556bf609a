"""Batches are a partition: nothing is lost, nothing is doubled, and the same orders make the same batches."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.drive_backup.cost import Expectation
from include.drive_backup.planning.shards import MIN_SECONDS, Pace, Sized, make_batches

MB = 1_000_000
sizes_of_files = st.lists(st.one_of(st.just(0), st.integers(0, 10 * MB), st.integers(0, 10**13)), max_size=200)
limits = st.fixed_dictionaries(
    {
        "batch_files": st.integers(1, 50),
        "batch_bytes": st.integers(1, 10**11),
        "max_batches": st.integers(1, 30),
    }
)


def sized(sizes):
    return [Sized(number, size, f"{number:05d}") for number, size in enumerate(sizes)]


@given(sizes_of_files, limits)
def test_a_partition(sizes, limits):
    batches = make_batches(sized(sizes), **limits)
    assert sorted(order for batch in batches for order in batch) == list(range(len(sizes)))
    assert all(batches)
    assert len(batches) <= limits["max_batches"]


@given(sizes_of_files, limits, st.integers(0, 99))
def test_the_order_of_the_input_does_not_matter(sizes, limits, seed):
    orders = sized(sizes)
    shuffled = random.Random(seed).sample(orders, len(orders))
    assert make_batches(orders, **limits) == make_batches(shuffled, **limits)


@given(sizes_of_files, limits)
@example([2, 2, 2], {"batch_files": 9, "batch_bytes": 3, "max_batches": 9})
def test_limits_hold_while_batches_are_left(sizes, limits):
    batches = make_batches(sized(sizes), **limits)
    if len(batches) == limits["max_batches"]:
        return
    for batch in batches:
        assert len(batch) <= limits["batch_files"]
        assert len(batch) == 1 or sum(sizes[order] for order in batch) <= limits["batch_bytes"]


@given(sizes_of_files, limits)
def test_the_largest_comes_first(sizes, limits):
    for batch in make_batches(sized(sizes), **limits):
        assert [sizes[order] for order in batch] == sorted((sizes[order] for order in batch), reverse=True)


def seconds_of(batches, sizes, pace):
    return [pace.seconds(len(batch), sum(sizes[order] for order in batch)) for batch in batches]


paces = st.builds(Pace, st.floats(0.001, 10), st.floats(1e5, 1e9))


@given(sizes_of_files, st.integers(1, 30), paces)
@example([4 * 10**9, 3 * 10**9, 3 * 10**9], 2, Pace())
def test_batches_cost_the_same_but_for_one_file(sizes, max_batches, pace):
    batches = make_batches(sized(sizes), batch_files=10**6, batch_bytes=10**18, max_batches=max_batches, pace=pace)
    costs = seconds_of(batches, sizes, pace)
    assert costs == sorted(costs, reverse=True)
    for batch, cost in zip(batches, costs, strict=True):
        # Without its smallest file, its last, none is dearer than the cheapest.
        assert len(batch) == 1 or cost - pace.seconds(1, sizes[batch[-1]]) <= costs[-1] * (1 + 1e-9)


@given(sizes_of_files, st.integers(1, 30), paces)
def test_a_batch_is_worth_its_start_where_there_is_that_much(sizes, max_batches, pace):
    batches = make_batches(sized(sizes), batch_files=10**6, batch_bytes=10**18, max_batches=max_batches, pace=pace)
    total = sum(seconds_of(batches, sizes, pace))
    assert len(batches) <= max(1, total / MIN_SECONDS)
    assert len(batches) >= min(max_batches, len(sizes), int(total / MIN_SECONDS))


def test_a_giant_is_alone_and_first_and_holds_nobody_back():
    sizes = [random.Random(7).randrange(20 * MB) for _ in range(5000)] + [10**12]
    giant, *rest = make_batches(sized(sizes), batch_files=2000, batch_bytes=4 * 1024**3, max_batches=200)
    assert giant == [5000]
    costs = seconds_of(rest, sizes, Pace())
    assert len(rest) >= 20
    assert max(costs) - min(costs) <= Pace().seconds(1, 20 * MB)


def test_the_pace_of_a_task_is_its_share_of_the_quota_or_what_latency_allows():
    bound = Pace.expected(Expectation(units_per_minute=120_000, tasks_at_once=5, mb_per_second=50))
    assert (bound.file_seconds, bound.bytes_per_second) == (0.5, 1e7)
    free = Pace.expected(Expectation(units_per_minute=None, files_in_flight=40))
    assert free.file_seconds == pytest.approx(0.01)


def test_a_million_small_files_are_200_batches():
    batches = make_batches(sized([30_000] * 1_000_000), batch_files=2000, batch_bytes=4 * 1024**3, max_batches=200)
    assert [len(batch) for batch in batches] == [5000] * 200


def test_too_many_files_make_larger_batches_and_not_more():
    batches = make_batches(sized([10] * 10_000), batch_files=10, batch_bytes=10**9, max_batches=20)
    assert [len(batch) for batch in batches] == [500] * 20
