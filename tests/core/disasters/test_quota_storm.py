"""Drive refuses calls for a while, or for the rest of the day."""

import asyncio
import random

import pytest

from include.drive_backup.errors import DailyQuotaError, RateLimitError, SnapshotIncompleteError, TransientError
from include.drive_backup.report import verdict
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

CONTENTS = {f"f{n}": b"content %d" % n for n in range(100)}


def backup():
    return Backup(FakeDrive(*(file(ident, content, id=ident) for ident, content in CONTENTS.items())))


async def test_a_storm_of_rate_errors_costs_tries_but_no_file():
    run, dice = backup(), random.Random(1)
    for ident in CONTENTS:
        run.drive.errors[ident] = [RateLimitError("Slow down.")] * dice.randrange(4)
    plan, (batch,) = await run.plan()
    tries = 0
    while True:
        try:
            await run.copy(batch, resume=tries > 0)
            break
        except TransientError:
            tries += 1
    assert tries == 3
    summary = await run.commit(plan)
    assert summary["status"] == "complete"
    assert await run.restored(summary) == CONTENTS
    # Each file was asked for once per refusal and delivered once.
    assert max(run.drive.reads.values()) == 4


async def test_when_the_days_quota_is_used_up_the_batch_ends_and_the_next_run_goes_on():
    run = backup()
    run.drive.errors["f50"] = [DailyQuotaError("No more today; go on tomorrow.")]
    plan, (batch,) = await run.plan()
    done = await run.copy(batch)
    assert done["failed"] == 100 - done["copied"] > 0
    first = await run.commit(plan)
    assert first["status"] == "partial"
    assert first["counts"]["failed"] == first["reasons"]["dailyLimitExceeded"]["count"] == done["failed"]
    with pytest.raises(SnapshotIncompleteError, match="not complete: No more today; go on tomorrow"):
        verdict([plan.to_dict()], [first])
    saved = await run.restored(first)
    run.drive.reads.clear()
    second = await run.run("2026-03-02")
    assert second["status"] == "complete"
    assert set(run.drive.reads) == set(CONTENTS) - set(saved)
    assert await run.restored(second) == CONTENTS


async def test_what_is_being_read_when_the_days_quota_ends_is_finished():
    run = backup()
    run.drive.errors["f1"] = [DailyQuotaError("No more today.")]
    under_way = asyncio.Event()
    run.drive.before_read = lambda ident: under_way.set() if ident == "f99" else None
    _, (batch,) = await run.plan()
    done = await run.copy(batch, in_flight=100)
    assert under_way.is_set()
    assert (done["copied"], done["failed"]) == (99, 1)
