"""Whose content was not read again lately, as report and doctor say it."""

from datetime import timedelta

import pytest

from include.drive_backup.model import Source
from include.drive_backup.verification.last import last_read, unverified, unverified_text
from include.drive_backup.verification.sample import Sample, mark_read
from tests.support.fake_drive import at
from tests.support.memory_blob import MemoryBlobStore

ANN = Source.parse("user/ann@example.com")
NOW = at("2026-03-20T12:00")


def read_on(day):
    return Sample(period=30, buckets=(1,), day=at(day).toordinal())


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([], ["user/ann@example.com: never"]),
        (["2026-03-19"], []),
        (["2026-03-06"], []),
        (["2026-03-05"], ["user/ann@example.com: last on 2026-03-05"]),
        (["2026-01-01", "2026-03-19"], []),
        # A worker's clock was wrong: what is still to come was not read.
        (["2027-01-01"], ["user/ann@example.com: never"]),
    ],
)
async def test_what_was_not_read_in_two_weeks_is_named(days, said):
    store = MemoryBlobStore()
    for day in days:
        await mark_read(store, ANN, read_on(day))
    assert await unverified(store, [str(ANN)], NOW) == said


async def test_the_last_of_all_periods_counts():
    store = MemoryBlobStore()
    await mark_read(store, ANN, read_on("2026-03-01"))
    await mark_read(store, ANN, Sample(period=7, buckets=(1,), day=at("2026-03-10").toordinal()))
    assert await last_read(store, ANN, NOW + timedelta(days=1)) == at("2026-03-10").date()


def test_the_sentence_names_the_dag_and_says_what_to_do():
    said = unverified_text([f"user/{n}@example.com: never" for n in range(5)])
    assert "5 sources" in said
    assert "and 2 more" in said
    assert "google_drive_verify paused in Airflow? Unpause it." in said
    assert unverified_text([]) == ""
