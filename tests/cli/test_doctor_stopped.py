"""What doctor says of a source that its job does not back up any more, or never did."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from include.drive_backup.errors import AmbiguousSeriesError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.stopped import find_stopped, record_stopped, settle
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = Source.parse("user/ann@example.com")
NARROWED = Series.narrowed_name("default", "one file")
AGAIN = Series.narrowed_name("default", "another file")


class House:
    """Ann's Drive; one clock for the backup and for the service."""

    def __init__(self, on_store):
        self.backup = Backup(FakeDrive(file("a.txt", b"alpha", id="a"), file("b.txt", b"beta", id="b")))
        self.store = self.backup.store
        self.store.clock = SimpleNamespace(now=self.backup.clock.now)
        self.cli = on_store(self.store)

    def run(self, instant, **settings):
        self.backup.clock.set(at(f"{instant[:10]}T12:10"))
        return asyncio.run(self.backup.run(instant, **settings))

    def notice(self):
        async def look():
            new, _ = await find_stopped(self.store, "default", "run-x", {"user/bob@example.com"}, [], self.backup.clock)
            await record_stopped(self.store, new)

        asyncio.run(look())

    def settle(self, series="default"):
        asyncio.run(settle(self.store, Series(source=ANN, name=series), "left in May", self.backup.clock))

    def doctor(self):
        code, out, _ = self.cli("--json", "doctor")
        rows = [json.loads(line) for line in out.splitlines()]
        return code, [(row["result"], row["message"]) for row in rows if row["check"].startswith(str(ANN))]


@pytest.fixture
def house(on_store):
    return House(on_store)


def test_a_copy_by_hand_hides_no_stop_and_ends_no_settlement(house):
    house.run("2026-03-01")
    house.notice()
    house.run("2026-03-02T12:00", by_hand=True)
    code, [(result, said)] = house.doctor()
    assert (code, result) == (1, "bad")
    assert "20260302T120000.000Z, 0 hours old, and all of it is there" in said
    assert "is not backed up any more (notFound); its last snapshot is 20260301T000000.000Z" in said
    house.settle()
    house.run("2026-03-03T12:00", by_hand=True)
    code, [(result, said)] = house.doctor()
    assert (code, result, "left in May" in said) == (0, "ended", True)
    house.run("2026-03-04")
    assert house.doctor() == (0, [("good", house.doctor()[1][0][1])])


def test_readers_take_the_job_that_goes_on_after_a_copy_by_hand_of_the_settled_one(house):
    house.run("2026-03-01")
    house.settle()
    house.run("2026-03-02T12:00", by_hand=True)
    house.run("2026-03-03", series="noon")
    found = asyncio.run(SnapshotRepository(house.store).find(ANN))
    assert found.series == "noon"
    house.run("2026-03-04")
    with pytest.raises(AmbiguousSeriesError):
        asyncio.run(SnapshotRepository(house.store).find(ANN))


def test_a_source_that_was_only_saved_by_hand_can_be_settled(house):
    house.run("2026-03-01", by_hand=True)
    house.backup.clock.set(at("2026-04-01"))
    assert house.doctor()[1][0][0] == "bad"
    house.settle()
    assert house.doctor()[1][0][0] == "ended"
    house.run("2026-04-02", by_hand=True)
    assert house.doctor()[1][0][0] == "ended"


def test_a_source_with_narrowed_snapshots_alone_is_bad_until_a_person_settles_it(house):
    for series in (NARROWED, AGAIN):
        house.run("2026-03-01", include=("a.txt",), series=series)
    code, [(result, said)] = house.doctor()
    assert (code, result) == (1, "bad")
    assert "There are only snapshots that were selected by hand" in said
    for series in (NARROWED, AGAIN):
        assert house.cli("settle", str(ANN), "--series", series, "--note", "once only")[0] == 0
        assert (f"drive-backup settle {ANN} --series {series}" in said) is True
    code, [(result, said)] = house.doctor()
    assert (code, result, "once only" in said) == (0, "ended", True)
    house.run("2026-03-02", include=("a.txt",), series=NARROWED)
    assert house.doctor()[1][0][0] == "ended"
    house.run("2026-03-03")
    assert house.doctor()[1][0][0] == "good"
