"""A source that has snapshots and is no longer backed up: one loud alarm, then a state that a person settles."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import AmbiguousSeriesError, SnapshotIncompleteError
from include.drive_backup.groups import Listed
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.report import readable, verdict
from include.drive_backup.stopped import Settled, find_stopped, record_stopped, settle, state_of
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN, BOB = "user/ann@example.com", "user/bob@example.com"
NO_DRIVE = Listed(source=BOB, outcome="left_out", reason="serviceDisabled", message="Drive is switched off.")


class World:
    """Two users that were backed up once."""

    def __init__(self):
        self.backup = Backup(FakeDrive(file("a.txt", b"a", id="a")))
        self.store = self.backup.store

    async def look(self, run, *attempted, left_out=(), job="default"):
        return await find_stopped(self.store, job, run, set(attempted), left_out, self.backup.clock)


@pytest.fixture
async def world():
    world = World()
    for source in (ANN, BOB):
        await world.backup.run("2026-03-01", source=source)
    return world


async def test_the_first_run_that_notices_fails_and_later_ones_say_it(world):
    new, known = await world.look("run-2", ANN, left_out=[NO_DRIVE])
    assert [(each.source, each.reason, each.snapshot) for each in new] == [
        (BOB, "serviceDisabled", "20260301T000000.000Z")
    ]
    assert known == []
    with pytest.raises(SnapshotIncompleteError, match=r"bob@example.com is not backed up any more.*settle"):
        verdict([], [], stopped=new)
    await record_stopped(world.store, new)
    new, known = await world.look("run-3", ANN, left_out=[NO_DRIVE])
    assert (new, [each.source for each in known]) == ([], [BOB])
    verdict([], [], stopped=new)
    assert "NOT BACKED UP ANY MORE" in readable([], [], stopped=known)


@pytest.mark.parametrize("reason", ["suspended", "deleted"])
async def test_who_left_by_the_directorys_own_word_is_kept_and_alarms_nobody(world, reason):
    left = Listed(source=BOB, outcome="left_out", reason=reason, message="The account is gone.")
    new, known = await world.look("run-2", ANN, left_out=[left])
    verdict([], [], stopped=new)
    report = readable([], [], stopped=new)
    assert "Left the organisation, kept:" in report
    assert f"{BOB} has left ({reason})" in report
    assert "NOT BACKED UP ANY MORE" not in report
    await record_stopped(world.store, new)
    # Weeks later the Directory has forgotten the account: that is no new alarm.
    new, known = await world.look("run-40", ANN)
    assert (new, [(each.source, each.left) for each in known]) == ([], [(BOB, True)])


async def test_a_run_that_is_cleared_says_it_again(world):
    new, _ = await world.look("run-2", ANN)
    await record_stopped(world.store, new)
    again, known = await world.look("run-2", ANN)
    assert ([each.source for each in again], known) == ([BOB], [])


async def test_what_the_sources_do_not_find_any_more_counts_too(world):
    new, _ = await world.look("run-2", ANN)
    assert (new[0].reason, "do not find it any more" in new[0].message) == ("notFound", True)


async def test_a_person_settles_it_until_it_is_backed_up_again(world):
    series = Series(source=Source.parse(BOB))
    await settle(world.store, series, "left in May", world.backup.clock)
    assert await world.look("run-2", ANN) == ([], [])
    state = await state_of(world.store, series)
    assert isinstance(state, Settled)
    assert state.note == "left in May"
    await world.backup.run("2026-03-02", source=BOB)
    new, _ = await world.look("run-4", ANN)
    assert [each.snapshot for each in new] == ["20260302T000000.000Z"]


async def test_a_source_that_failed_was_attempted_and_is_no_stop(world):
    assert await world.look("run-2", ANN, BOB) == ([], [])


async def test_another_jobs_series_narrowed_ones_and_what_a_person_asked_for_once_are_no_stops(world):
    await world.backup.run("2026-03-01", source="user/x@example.com", series="team")
    await world.backup.run("2026-03-01", source="user/y@example.com", series=Series.narrowed_name("default", "x"))
    await world.backup.run("2026-03-01", source="user/z@example.com", by_hand=True)
    assert await world.look("run-2", ANN, BOB) == ([], [])


async def test_records_that_cannot_be_read_stop_nothing(world):
    [name] = await SnapshotRepository(world.store).names(Series(source=Source.parse(BOB)))
    await world.store.put(f"stopped/{BOB}/default/{name.ident}.json", b"{")
    new, _ = await world.look("run-2", ANN)
    assert [each.source for each in new] == [BOB]
    await world.store.put(f"stopped/{BOB}/default/{name.ident}.settled.json", b"{")
    assert await world.look("run-2", ANN) == ([], [])
    assert isinstance(await state_of(world.store, name.series), Settled)


async def test_a_settled_series_is_not_asked_about_when_a_job_was_renamed(world):
    await world.backup.run("2026-03-02", source=BOB, series="nightly")
    repository, bob = SnapshotRepository(world.store), Source.parse(BOB)
    with pytest.raises(AmbiguousSeriesError):
        await repository.find(bob)
    await settle(world.store, Series(source=bob), "renamed", world.backup.clock)
    assert (await repository.find(bob)).series == "nightly"


async def test_what_a_person_saved_by_hand_after_the_job_hides_no_stop_and_may_be_what_was_settled(world):
    """A source that was taken out of the job by mistake, and saved once more by hand, has stopped all the same."""
    await world.backup.run("2026-03-02", source=BOB, by_hand=True)
    new, _ = await world.look("run-2", ANN)
    assert [(each.source, each.snapshot) for each in new] == [(BOB, "20260301T000000.000Z")]
    await record_stopped(world.store, new)
    new, known = await world.look("run-3", ANN)
    assert (new, [each.source for each in known]) == ([], [BOB])
    await settle(world.store, Series(source=Source.parse(BOB)), "meant", world.backup.clock)
    assert await world.look("run-4", ANN) == ([], [])
    await world.backup.run("2026-03-03", source=BOB, by_hand=True)
    assert await world.look("run-5", ANN) == ([], [])


async def test_a_copy_by_hand_of_what_was_settled_alarms_nobody(world):
    await settle(world.store, Series(source=Source.parse(BOB)), "left in May", world.backup.clock)
    await world.backup.run("2026-03-02", source=BOB, by_hand=True)
    assert await world.look("run-2", ANN) == ([], [])
