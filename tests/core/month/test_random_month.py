"""Months of one Drive in virtual time. ``MONTH_SEEDS=200`` runs as many; see ``make test-long``."""

import os

import pytest

from include.drive_backup.errors import DriveBackupError
from tests.support import month_faults as faults
from tests.support.month import Month
from tests.support.virtual_time import run

SEEDS = int(os.environ.get("MONTH_SEEDS", "2"))
#: So many months a fault may stay hidden.
ENOUGH = 15
FAULTS = {
    "all runs are of one series": None,
    # The look after the manifest notices most of what a later try of the same run covers up.
    "the lock compares the holder alone, and no last look": faults.both(faults.holder_only, faults.no_last_look),
    "no guard before each request": faults.no_guard,
    "everybody may have the lock": faults.no_lock,
    "no lease on what is held or read": faults.no_lease,
    "readers are ignored": faults.readers_ignored,
    "readers do not register": faults.not_registered,
    # The lease alone keeps what is held.
    "holds are ignored, and no lease": faults.both(faults.holds_ignored, faults.no_lease),
    "workers believe their own clocks": faults.own_clocks,
    "when a blob was written tells when its content was seen": faults.copies_are_seen,
    "clients are believed whatever time they set": faults.clients_are_believed,
    # What a snapshot of before has covers the most of it.
    "nobody looks which versions were read meanwhile": faults.no_sightings,
    "late nights tell nothing": faults.late_nights_are_lost,
    "nobody asks what was there before": faults.nothing_before,
}


def passed(seed, **options):
    async def month():
        made = Month(seed, **options)
        await made.run()
        return made

    return run(month())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_a_random_month_all_that_is_promised_is_there(seed):
    month = passed(seed)
    print(*month.log[-60:], sep="\n")
    assert len(month.truth.promises) > 20
    assert month.problems == []


def is_red(seed, **options):
    try:
        return passed(seed, **options).problems != []
    except (AssertionError, DriveBackupError, KeyError) as error:
        # A fault may also show as what nobody expects.
        print(f"seed {seed}: {error!r}")
        return True


@pytest.mark.parametrize("fault", [each for each in FAULTS.values() if each is not None])
def test_each_fault_can_be_put_back(fault, monkeypatch):
    fault(monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_turns_a_month_red(fault, monkeypatch):
    if FAULTS[fault] is not None:
        FAULTS[fault](monkeypatch)
    options = {"one_series": True} if FAULTS[fault] is None else {}
    assert any(is_red(seed, **options) for seed in range(ENOUGH))
