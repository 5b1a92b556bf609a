"""Content moves to cooler tiers by its age, never back, and nothing that is refused stops it."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.drive_backup.errors import ServiceUnavailableError, SourceBusyError, StoppedError
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.retention.readable import applied_text, plan_text
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.retention.tiers import SETTLED_DAYS, TierRules, move_content, plan_moves
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = Source(kind="user", id="ann@example.com")
RULES = TierRules(cool_days=30, cold_days=90, archive_days=365)
TIERS = ["hot", "cool", "cold", "archive"]
NOW = at("2027-01-01T00:00")


@pytest.fixture
async def backup():
    """A snapshot of four files."""
    made = Backup(FakeDrive(*(file(f"{n}.txt", b"x" * 100 + bytes([n]), id=f"id{n}") for n in range(4))))
    made.store.clock = made.clock
    await made.run("2026-03-01")
    return made


def later(backup, days):
    backup.clock.set(at("2026-03-01T00:10") + timedelta(days=days))


def tiers(backup):
    return [backup.store.blobs[name][1].tier for name in backup.contents()]


def lock(backup):
    return SourceLock(backup.store, ANN, "retention/1")


async def confirm():
    return None


async def move(backup, rules=RULES, **options):
    return await move_content(backup.store, ANN, rules, confirm, **options)


#: Whole ones: a timedelta rounds others to microseconds.
DAYS = st.integers(0, 2000)


def blob(tier, age, changed=None):
    moved = None if changed is None else NOW - timedelta(days=changed)
    return BlobInfo(name="a", size=1, modified=NOW - timedelta(days=age), tier=tier, tier_changed=moved)


@pytest.mark.parametrize(
    ("age", "expected"), [(29, None), (30, "cool"), (89.9, "cool"), (90, "cold"), (364, "cold"), (365, "archive")]
)
def test_age_decides(age, expected):
    assert RULES.target(blob("hot", age), NOW) == expected


@given(st.sampled_from(TIERS), DAYS, DAYS, st.tuples(*[st.none() | DAYS] * 3))
def test_nothing_is_ever_moved_to_a_warmer_tier_or_before_its_time(tier, age, changed, days):
    rules = TierRules(cool_days=days[0], cold_days=days[1], archive_days=days[2])
    target = rules.target(blob(tier, age, changed), NOW)
    if target is not None:
        assert TIERS.index(target) > TIERS.index(tier)
        assert getattr(rules, f"{target}_days") <= age
        assert target != "archive" or changed >= SETTLED_DAYS
        assert rules.target(blob(target, age, changed), NOW) is None


@pytest.mark.parametrize("tier", [None, "smart", "p10"])
def test_a_tier_that_is_none_of_ours_is_left_alone(tier):
    assert RULES.target(blob(tier, 1000), NOW) is None


def test_what_a_restore_took_out_of_the_archive_stays_out_for_a_while():
    assert RULES.target(blob("hot", 400, changed=13.9), NOW) is None
    assert RULES.target(blob("hot", 400, changed=SETTLED_DAYS), NOW) == "archive"


async def test_content_moves_through_the_tiers_and_nothing_else_does(backup):
    others = {name for name in backup.store.blobs if not name.startswith("content/")}
    for days, tier in ((29, "hot"), (31, "cool"), (91, "cold"), (400, "archive")):
        later(backup, days)
        planned = await plan_moves(backup.store, ANN, RULES)
        done = await move(backup)
        assert done.moves == planned
        assert set(tiers(backup)) == {tier}
    assert {backup.store.blobs[name][1].tier for name in others} == {"hot"}
    assert await plan_moves(backup.store, ANN, RULES) == {}


async def test_the_plan_says_what_moves_and_retention_moves_it(backup):
    later(backup, 40)
    policy = Policy(tiers=RULES)
    plan = await plan_source(backup.store, ANN, policy)
    assert plan.moves == {"cool": Amount(blobs=4, bytes=404)}
    assert "content: 4 blobs, 404 B would move to the cool tier" in plan_text([plan])
    assert set(tiers(backup)) == {"hot"}
    done = await apply_source(backup.store, plan, policy, lock(backup), backup.clock)
    assert done.moved == plan.moves
    assert "content: 4 blobs, 404 B moved to the cool tier" in applied_text([done])
    assert set(tiers(backup)) == {"cool"}


async def test_with_tiers_alone_nothing_is_ever_deleted(backup):
    """Content that no snapshot refers to stays as well: nobody has said what to keep."""
    name = backup.contents()[0].rpartition("/")[0] + "/litter.txt"
    await backup.store.put(name, b"litter")
    later(backup, 1000)
    policy = Policy(tiers=RULES)
    plan = await plan_source(backup.store, ANN, policy)
    assert plan.empty
    assert plan.moves["archive"].blobs == 5
    await apply_source(backup.store, plan, policy, lock(backup), backup.clock)
    assert name in backup.store.blobs
    assert RetentionSettings(tiers={"cool_days": 1}).active
    assert not RetentionSettings().active


async def test_what_is_archived_is_deleted_like_all_else(backup):
    later(backup, 400)
    await move(backup)
    backup.drive.write("id0", b"new", "2027-03-01T00:00:00.000Z")
    await backup.run("2027-04-05")
    policy = Policy(keep=Keep(last=1), brake_percent=100, tiers=RULES)
    plan = await plan_source(backup.store, ANN, policy)
    done = await apply_source(backup.store, plan, policy, lock(backup), backup.clock, approved=True)
    assert done.content.blobs == 1
    assert sorted(tiers(backup)) == ["archive", "archive", "archive", "hot"]


async def test_what_is_stored_in_the_archive_is_pointed_at_and_not_copied_again(backup):
    later(backup, 400)
    await move(backup)
    before = backup.contents()
    summary = await backup.run("2027-04-05", mode="full")
    assert summary["status"] == "complete"
    assert backup.contents() == before
    assert set(tiers(backup)) == {"archive"}


async def test_a_refusal_is_reported_and_the_others_move(backup):
    later(backup, 40)
    stuck = backup.contents()[1]
    backup.store.fixed = {stuck}
    done = await move(backup)
    assert (done.moves["cool"].blobs, done.refused) == (3, ("It stays where it is.",))
    assert sorted(tiers(backup)) == ["cool", "cool", "cool", "hot"]


async def test_the_lock_of_the_source_is_needed(backup):
    later(backup, 40)
    policy = Policy(tiers=RULES)
    plan = await plan_source(backup.store, ANN, policy)
    other = SourceLock(backup.store, ANN, "backup/1")
    await other.take()
    with pytest.raises(SourceBusyError):
        await apply_source(backup.store, plan, policy, lock(backup), backup.clock)
    assert set(tiers(backup)) == {"hot"}


async def test_it_may_be_broken_off_and_goes_on(backup):
    later(backup, 40)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StoppedError):
        await move(backup, stop=stop)

    def fail_second(phase, operation, name):
        if operation == "tier" and phase == "before" and backup.store.calls["tier"] == 2:
            raise ServiceUnavailableError("down", service="blob")

    backup.store.fault = fail_second
    with pytest.raises(ServiceUnavailableError):
        await move(backup)
    assert sorted(tiers(backup)) == ["cool", "hot", "hot", "hot"]
    backup.store.fault = None
    assert (await move(backup)).moves["cool"].blobs == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"cool_days": 30, "cold_days": 30},
        {"cool_days": 90, "archive_days": 20},
        {"archive_days": 13},
        {"cool_days": -1},
        {"cool_days": float("nan")},
        {"hot_days": 1},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        RetentionSettings(tiers=wrong)
