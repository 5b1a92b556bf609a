"""Whoever asks for the latest snapshot is told when newer ones are not complete: one file may fail for weeks."""

from __future__ import annotations

from include.drive_backup.errors import ItemLaterError
from include.drive_backup.manifest.repository import SnapshotRepository
from tests.core.retention.house import ANN, House


async def note(house, which):
    found = await SnapshotRepository(house.store).choose(ANN, which)
    return next((text for text in found.notes if "complete" in text), None)


async def test_latest_says_that_newer_snapshots_are_partial_and_how_to_use_them():
    house = House()
    await house.back_up()
    assert await note(house, "latest") is None
    for _ in range(2):
        house.tomorrow()
        house.drive.errors["id1"] = [ItemLaterError("Not now.", reason="downloadQuotaExceeded")] * 9
        assert (await house.back_up(1, 2))["status"] == "partial"
    for which in ("latest", "default/latest"):
        said = await note(house, which)
        assert "20260301T000000.000Z is the newest complete snapshot, and 2 snapshots of" in said
        assert "the last one is 20260303T000000.000Z" in said


async def test_another_series_a_time_and_an_id_are_no_matter():
    house = House()
    await house.back_up()
    house.tomorrow()
    await house.back_up()
    await house.backup.run("2026-03-03", series="default~01234567")
    assert await note(house, "latest") is None
    assert await note(house, "2026-03-01") is None
    assert await note(house, "20260301T000000.000Z") is None
