"""The division of a budget: never more than there is, nobody starves, and the order of the claims is no matter."""

import random

from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.quota.division import Budget, Claim, divide, fair

amounts = st.integers(0, 400_000)
claims = st.lists(
    st.builds(
        Claim,
        token=st.uuids().map(str),
        user=st.sampled_from("abcd"),
        wants=st.just({}) | st.builds(dict, units=amounts),
    ),
    max_size=40,
)
budgets = st.builds(Budget, per_user=st.none() | st.integers(1, 400_000), per_project=st.none() | st.integers(1, 10**6))


@given(claims, budgets)
def test_no_user_and_no_project_gets_more_than_its_budget_and_no_task_more_than_it_wants(asked, budget):
    shares = divide(asked, budget, "units")
    if budget.least is None:
        assert shares == {}
        return
    assert set(shares) == {claim.token for claim in asked}
    assert budget.per_project is None or sum(shares.values()) <= budget.per_project
    for user in "abcd":
        got = sum(shares[claim.token] for claim in asked if claim.user == user)
        assert budget.per_user is None or got <= budget.per_user
    assert all(0 <= shares[claim.token] <= claim.wants.get("units", 10**9) for claim in asked)


@given(claims, budgets, st.randoms())
def test_the_order_of_the_claims_is_no_matter(asked, budget, dice):
    shuffled = random.Random(dice.random()).sample(asked, len(asked))
    assert divide(shuffled, budget, "units") == divide(asked, budget, "units")


@given(claims, budgets)
def test_nobody_starves(asked, budget):
    shares = divide(asked, budget, "units")
    if budget.least is None:
        return
    users = {claim.user for claim in asked}
    for claim in asked:
        mates = sum(other.user == claim.user for other in asked)
        even = min(budget.per_user or 10**9, (budget.per_project or 10**9) // len(users)) // mates
        assert shares[claim.token] >= min(claim.wants.get("units", budget.least), even)


@given(st.dictionaries(st.text(max_size=3), amounts, max_size=30), st.integers(0, 10**6))
def test_what_is_left_over_is_less_than_one_each_or_wanted_by_nobody(wants, capacity):
    shares = fair(capacity, wants)
    left = capacity - sum(shares.values())
    assert left >= 0
    hungry = [name for name, want in wants.items() if shares[name] < want]
    assert left < max(1, len(wants)) if hungry else shares == wants
    # Max-min: whoever wants more has at least as much as anybody else, but for a rounding.
    assert all(shares[name] + 1 >= max(shares.values()) for name in hungry)
