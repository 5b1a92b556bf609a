"""Batches are a partition: nothing is lost, nothing is doubled, and the same orders make the same batches."""

import random

from hypothesis import example, given
from hypothesis import strategies as st

from include.drive_backup.planning.shards import FILE_COST, Sized, make_batches

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


def test_batches_cost_about_the_same():
    sizes = [random.Random(7).randrange(20 * MB) for _ in range(5000)]
    batches = make_batches(sized(sizes), batch_files=2000, batch_bytes=4 * 1024**3, max_batches=200)
    costs = [sum(sizes[order] + FILE_COST for order in batch) for batch in batches]
    assert len(batches) > 5
    assert max(costs) - min(costs) <= 21 * MB


def test_too_many_files_make_larger_batches_and_not_more():
    batches = make_batches(sized([10] * 10_000), batch_files=10, batch_bytes=10**9, max_batches=20)
    assert [len(batch) for batch in batches] == [500] * 20
