"""Months of real processes on Azurite; ``MONTH_SEEDS=10`` runs as many, see ``make test-long``."""

import os
import uuid

import pytest

from tests.support.real_month import RealMonth
from tests.support.real_world import open_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]
SEEDS = int(os.environ.get("MONTH_SEEDS", "2"))


async def passes(seed, azurite, folder, days):
    async with open_store(azurite, f"c{uuid.uuid4().hex}", 30.0) as store:
        await store.ensure_container(create=True)
        month = RealMonth(seed, store, azurite, folder, days=days)
        try:
            await month.run()
        finally:
            print(*month.log, sep="\n")
        assert len(month.truth.promises) > days / 2
        assert month.problems == []


@pytest.mark.long
async def test_after_a_random_week_of_real_processes_all_that_is_promised_is_there(azurite, tmp_path):
    await passes(1_000, azurite, tmp_path, days=7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_after_a_random_month_of_real_processes_all_that_is_promised_is_there(seed, azurite, tmp_path):
    await passes(seed, azurite, tmp_path, days=28)
