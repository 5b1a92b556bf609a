"""The retention of a whole container: one odd source, or one odd number, does not stop that of the others."""

import pytest
from pydantic import ValidationError

from include.drive_backup.errors import CredentialsError, PermanentError, TransientError
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.readable import plan_text
from include.drive_backup.retention.run import plan_all
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.settings import load
from tests.core.retention.house import EVERYTHING, House

BOB = "user/bob@example.com"
KEEP = RetentionSettings.model_validate({"keep": {"last": 1}})


@pytest.fixture
async def house():
    made = House()
    for day in range(2):
        made.tomorrow()
        await made.back_up(day)
        await made.back_up(source=BOB)
    return made


def spoil(house, error, part="bob@"):
    def fault(phase, operation, name):
        if part in name and operation == "read":
            raise error

    house.store.fault = fault


@pytest.mark.parametrize("error", [CredentialsError("not yours"), ValueError("odd"), OverflowError("large")])
async def test_a_source_that_cannot_be_planned_stops_no_other(house, error):
    spoil(house, error)
    ann, bob = await plan_all(house.store, KEEP)
    assert (len(ann.goes), ann.failed) == (1, None)
    assert (bob.goes, str(error) in bob.failed) == ((), True)
    assert f"{BOB}: CANNOT BE PLANNED" in plan_text([ann, bob])
    house.store.fault = None
    await house.apply(plan=ann, approved=True)
    with pytest.raises(PermanentError, match=f"{BOB} could not be planned"):
        await apply_source(house.store, bob, EVERYTHING, house.lock(), house.backup.clock, approved=True)


async def test_when_no_source_can_be_planned_the_container_is_tried_again(house):
    spoil(house, TransientError("down"), "snapshots/")
    with pytest.raises(TransientError, match="down"):
        await plan_all(house.store, KEEP, ["user/ann*"])
    with pytest.raises(Exception, match="None of 2 sources could be planned: down"):
        await plan_all(house.store, KEEP)


@pytest.mark.parametrize(
    "odd",
    [
        {"sources": {"user/bob*": {"within_days": 10**10}}},
        {"keep": {"within_days": 36_501}},
        {"keep": {"daily": 10**30}},
        {"grace_days": float("inf")},
        {"grace_days": float("nan")},
        {"grace_days": 1e10},
        {"grace_days": 800_000},
        {"leftover_days": 1e10},
        {"approval_hours": 1e300},
        {"tiers": {"cool_days": 1e10}},
        {"tiers": {"archive_days": 1e10}},
        {"brake_percent": float("nan")},
    ],
    ids=str,
)
def test_numbers_that_nobody_can_reckon_with_are_refused(odd):
    with pytest.raises(ValidationError):
        RetentionSettings.model_validate({"keep": {"daily": 1}, **odd})


def test_the_sentence_says_which_number_and_what_is_allowed(tmp_path):
    path = tmp_path / "drive_backup.yaml"
    path.write_text("retention: {keep: {daily: 1}, grace_days: 800000}")
    [problem] = load(path).problems.values()
    assert "retention.grace_days: 800000 is not allowed: input should be less than or equal to 36500" in problem


async def test_the_largest_numbers_that_are_allowed_can_be_reckoned_with(house):
    most = {"last": 10**6, "hourly": 10**6, "yearly": 10**6, "within_days": 36_500}
    tiers = {"cool_days": 36_498, "cold_days": 36_499, "archive_days": 36_500}
    settings = RetentionSettings.model_validate(
        {"keep": most, "tiers": tiers, "grace_days": 36_500, "leftover_days": 36_500}
    )
    for plan in await plan_all(house.store, settings):
        assert plan.failed is None
        policy = settings.policy(plan.source, approved=True)
        if plan.source != BOB:
            await house.apply(policy, plan=plan, leftover_days=settings.leftover_days)
