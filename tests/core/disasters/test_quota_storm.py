"""Drive refuses calls for a while, or for the rest of the day."""

import random

import pytest

from include.drive_backup.errors import DailyQuotaError, RateLimitError, TransientError
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


async def test_when_the_days_quota_is_used_up_the_batch_stops_and_the_next_run_goes_on():
    run = backup()
    run.drive.errors["f50"] = [DailyQuotaError("No more today.")]
    plan, (batch,) = await run.plan()
    with pytest.raises(DailyQuotaError):
        await run.copy(batch)
    first = await run.commit(plan)
    assert first["status"] == "partial"
    saved = await run.restored(first)
    run.drive.reads.clear()
    second = await run.run("2026-03-02")
    assert second["status"] == "complete"
    assert set(run.drive.reads) == set(CONTENTS) - set(saved)
    assert await run.restored(second) == CONTENTS
