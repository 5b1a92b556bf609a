"""A document's modified time is a claim as well: its content may change, and the time stay."""

import pytest

from tests.support.claims import Nights
from tests.support.trees import native


def nights_of(**fields):
    return Nights(native("Plan", content=b"first", id="plan", **fields))


async def test_a_document_of_another_size_is_exported_though_its_time_is_the_same():
    nights = nights_of(size="1024")
    await nights.night()
    nights.people()
    nights.drive.contents["plan"] = b"second"
    nights.drive.change("plan", size="1030")
    assert (await nights.night())["plan"]["data"] == b"second"


async def test_a_document_that_drive_counts_changes_of_says_so_and_is_exported_again_after_a_week():
    nights = nights_of()
    await nights.night()
    nights.people()
    nights.drive.contents["plan"] = b"second"
    nights.drive.change("plan")
    rows = [(await nights.night())["plan"] for _ in range(8)]
    assert [(row["data"], row["fidelity"]) for row in rows] == [(b"first", "unproven")] * 6 + [(b"second", "exact")] * 2
    assert "exported again 7 days after" in rows[0]["message"]
    assert [row["outcome"] for row in rows[-2:]] == ["copied", "unchanged"]
    assert nights.drive.reads["plan"] == 2


async def test_one_that_is_opened_every_day_is_exported_once_a_week():
    nights = nights_of()
    for _ in range(16):
        await nights.night()
        nights.people()
        nights.drive.change("plan")
    assert nights.drive.reads["plan"] == 3


async def test_one_that_is_left_alone_is_exported_once():
    nights = nights_of()
    for _ in range(15):
        assert (await nights.night())["plan"]["fidelity"] == "exact"
    assert nights.drive.reads["plan"] == 1


async def test_an_export_that_fails_the_second_time_keeps_the_first():
    nights = nights_of()
    await nights.night()
    nights.drive.change("plan")
    nights.day = 8
    nights.drive.errors["plan"] = [RuntimeError("broken")]
    with pytest.raises(Exception, match="could not be copied"):
        await nights.night()
    plan, _ = await nights.backup.plan("2026-03-09")
    row = (await nights.rows(await nights.backup.commit(plan)))["plan"]
    assert (row["data"], row["outcome"], row["fidelity"]) == (b"first", "failed", "unproven")
