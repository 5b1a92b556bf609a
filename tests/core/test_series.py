"""A snapshot stands for what was selected: what a person narrowed by hand, or another job saves, displaces nothing."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import AmbiguousSeriesError, ConfigError, ItemLaterError, SnapshotNotFoundError
from include.drive_backup.item_settings import ItemSettings
from include.drive_backup.manifest.narrowed import narrowed_note
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.retention.holds import hold
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.selection import parse_entry
from include.drive_backup.series import Selected, is_of_job, names_me, series_name
from include.drive_backup.verification.run import choose
from tests.core.retention.house import ANN, House
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.nights import night
from tests.support.trees import file

DAILY = Policy(keep=Keep(daily=7), grace_days=1)
MONTH = Policy(keep=Keep(daily=14, weekly=8, monthly=12), grace_days=1)
NARROWED = Series.narrowed_name("default", "*.txt")


@pytest.fixture
async def house():
    house = House()
    await house.back_up()
    return house


async def latest(house, series="default"):
    return await SnapshotRepository(house.store).latest(Series(source=ANN, name=series), "9")


async def test_a_run_narrowed_by_hand_is_not_what_readers_take(house):
    house.tomorrow(0.5)
    narrow = await house.backup.run("2026-03-01T12:00", include=("1.txt",), series=NARROWED)
    repository = SnapshotRepository(house.store)
    assert narrow["items"] < 12
    for which in ("latest", "2026-03-02"):
        found = await repository.find(ANN, which)
        assert (found.series, found.narrowed, found.items) == ("default", False, 13)
    by_id = await repository.find(ANN, "20260301T120000.000Z")
    assert by_id.narrowed
    assert await repository.find(ANN, "latest", NARROWED) == by_id
    assert await repository.find(ANN, f"{NARROWED}/20260301T120000.000Z") == by_id
    said = await narrowed_note(house.store, by_id)
    assert "include 1.txt" in said
    assert f"{by_id.items} items" in said
    assert "20260301T000000.000Z has 13 items" in said


async def test_the_next_night_follows_the_jobs_own_snapshot_and_misses_nothing(house):
    house.tomorrow(0.5)
    await house.backup.run("2026-03-01T12:00", include=("1.txt",), series=NARROWED)
    house.tomorrow(0.5)
    night = await house.back_up()
    assert night["items"] == 13
    assert night["left"]["base"] == (await SnapshotRepository(house.store).names(ANN))[0].manifest
    assert night["left"].get("counts", {}) == {}


async def test_retention_deletes_no_full_snapshot_because_of_a_narrowed_one(house):
    for day in range(5):
        house.tomorrow(0.5)
        await house.backup.run(f"2026-03-{day + 1:02d}T12:00", include=("1.txt",), series=NARROWED, full_listing_days=0)
        house.tomorrow(0.5)
        await house.back_up(day)
    plan = await house.plan(DAILY)
    assert plan.goes == ()
    assert sum(verdict.snapshot.name.startswith("default/") for verdict in plan.verdicts) == 6


async def test_28_days_of_nightly_full_and_noon_filtered_runs_keep_what_was_deleted_on_day_ten():
    house = House()
    for day in range(28):
        if day == 10:
            house.drive.delete("id5")
        await house.back_up(day % 4)
        house.tomorrow(0.5)
        noon = f"{house.backup.clock.now():%Y-%m-%dT12:00}"
        await house.backup.run(noon, include=("1.txt", "2.txt"), series="noon", full_listing_days=0)
        await house.apply(MONTH, approved=True)
        house.tomorrow(0.5)
    repository = SnapshotRepository(house.store)
    full = [await repository.read(name) for name in await repository.names(Series(source=ANN))]
    assert len(full) >= 14
    before = [manifest for manifest in full if manifest.instant < "20260311"]
    assert before
    assert "id5" in await house.backup.restored({"manifest": before[-1].name.manifest})
    await house.check()


async def test_content_counts_as_referenced_whichever_series_refers_to_it(house):
    """What only the other series' snapshot holds stays, when this one's snapshots go."""
    house.tomorrow()
    await house.backup.run(f"{house.backup.clock.now():%Y-%m-%d}", series="other")
    old = {name for name in house.backup.contents() if "/5.txt/" in name}
    for day in range(3):
        house.tomorrow()
        await house.back_up(5 if day == 0 else 6)
    house.tomorrow(10)
    done = await house.apply(Policy(keep=Keep(last=1), grace_days=1, brake_percent=100), approved=True)
    assert {key.partition("/")[0] for key in done.forgotten} == {"default"}
    assert old <= set(house.backup.contents())
    await house.check()


async def test_the_safety_stop_compares_within_a_series(house):
    """Noon's few items beside the night's many are not an emptied Drive."""
    for day in range(1, 4):
        house.tomorrow(0.5)
        await house.backup.run(f"2026-03-{day:02d}T12:00", include=("1.txt",), series="noon", full_listing_days=0)
        house.tomorrow(0.5)
        await house.back_up(day)
    plan = await house.plan(Policy(keep=Keep(last=2), grace_days=1, brake_percent=100))
    assert not [reason for reason in plan.brakes if "emptied" in str(reason)]


async def test_a_series_of_which_nothing_goes_does_not_stop_the_others_for_ever(house):
    """A person narrowed two runs alike, and the second one had less: no later snapshot of that series makes it good."""
    await house.backup.run("2026-03-01T12:00", series=NARROWED)
    for n in range(4, 12):
        house.drive.delete(f"id{n}")
    house.tomorrow()
    await house.backup.run("2026-03-02T12:00", series=NARROWED)
    for day in range(6):
        house.tomorrow()
        await house.back_up(day % 4)
    policy = Policy(keep=Keep(last=6), grace_days=1, brake_percent=100)
    plan = await house.plan(policy)
    assert plan.goes == ("default/20260301T000000.000Z",)
    assert plan.brakes == ()
    assert (await house.apply(policy)).forgotten == plan.goes
    # When some of it would go, it does stop: what was emptied is the other one's only copy.
    stricter = await house.plan(Policy(keep=Keep(last=1), grace_days=1, brake_percent=100))
    assert any("default~" in str(reason) and "emptied" in str(reason) for reason in stricter.brakes)


async def test_two_jobs_with_one_source_have_to_be_told_apart(house):
    house.tomorrow(0.5)
    await house.backup.run("2026-03-01T12:00", include=("1.txt",), series="noon")
    repository = SnapshotRepository(house.store)
    for which in ("latest", "2026-03-02"):
        with pytest.raises(AmbiguousSeriesError, match=r"default, noon.*--series"):
            await repository.find(ANN, which)
    assert (await repository.find(ANN, "latest", "noon")).series == "noon"
    assert (await repository.find(ANN, "20260301T120000.000Z")).series == "noon"
    with pytest.raises(SnapshotNotFoundError, match=r"no series 'night'.*default, noon"):
        await repository.find(ANN, "latest", "night")
    with pytest.raises(SnapshotNotFoundError, match="may have been deleted"):
        await repository.find(ANN, "20260303T000000.000Z", "noon")
    assert {name.series.name for name in await choose(house.store, ANN, "latest")} == {"default", "noon"}
    assert len(await choose(house.store, ANN)) == 2


async def test_the_same_id_in_two_series_is_not_guessed(house):
    await house.backup.run("2026-03-01", include=("1.txt",), series="noon")
    with pytest.raises(AmbiguousSeriesError):
        await SnapshotRepository(house.store).find(ANN, "20260301T000000.000Z")


async def test_only_narrowed_snapshots_are_not_taken_for_the_jobs():
    house = House()
    await house.backup.run("2026-03-01", include=("1.txt",), series=NARROWED)
    repository = SnapshotRepository(house.store)
    with pytest.raises(AmbiguousSeriesError, match="selected by hand"):
        await repository.find(ANN)
    assert (await repository.find(ANN, series=NARROWED)).narrowed
    assert "has no complete snapshot" in await narrowed_note(house.store, await repository.find(ANN, series=NARROWED))


async def test_a_late_run_looks_at_neighbours_of_its_own_series_only(house):
    house.tomorrow(0.5)
    await house.backup.run("2026-03-01T12:00", include=("1.txt",), series="noon")
    house.tomorrow(3)
    late = await house.backup.run("2026-03-02")
    assert "/default/" in late["past"]["before"]
    assert late["items"] == 13


async def test_changed_job_settings_continue_the_series_with_a_full_listing(house):
    house.tomorrow()
    narrow = await house.backup.run("2026-03-02", exclude=("1.txt",))
    assert narrow["series"] == "default"
    assert narrow["left"]["counts"] == {"left_out": 1}
    manifest = await latest(house)
    assert (manifest.listed.kind, manifest.listed.why) == ("full", "otherSelection")
    house.tomorrow()
    assert (await house.backup.run("2026-03-03", exclude=("1.txt",)))["items"] == 12
    assert (await latest(house)).listed.kind == "changes"


OWN = Selected(
    sources=tuple(map(parse_entry, ("user/ann@example.com", "users/*", "shared/ann@example.com"))),
    items=ItemSettings(exclude=("*.tmp",), mime_types=("a/b", "c/d"), min_size="1 kB"),
)
SHARED = Source(kind="shared", id="ann@example.com")


async def test_an_id_of_another_series_than_the_one_that_is_named_is_not_taken(house):
    await house.backup.run("2026-03-02", series="noon")
    repository = SnapshotRepository(house.store)
    assert (await repository.find(ANN, "noon/latest", "noon")).series == "noon"
    with pytest.raises(SnapshotNotFoundError, match="names the series 'noon', and 'default' was asked for"):
        await repository.find(ANN, "noon/latest", "default")


def asked(source=ANN, sources=None, **changed):
    chosen = OWN.sources if sources is None else tuple(map(parse_entry, sources))
    run = Selected(sources=chosen, items=ItemSettings(**{**OWN.items.model_dump(), **changed}))
    return series_name("team", OWN, run, source)


def test_a_run_as_the_job_says_is_of_the_jobs_series():
    assert asked() == "team"
    assert asked(mime_types=("c/d", "a/b", "a/b"), min_size="1000") == "team"
    assert asked(sources=["user/ann@example.com"]) == "team"


@pytest.mark.parametrize(
    "changed",
    [
        {"include": ("*.txt",)},
        {"exclude": ()},
        {"folders": ("abc",)},
        {"exclude_folders": ("abc",)},
        {"mime_types": ("a/b",)},
        {"exclude_mime_types": ("a/b",)},
        {"min_size": None},
        {"max_size": 10**9},
        {"owners": ("ann@example.com",)},
        {"modified_since": "2026-01-01"},
        {"trashed": True},
        {"save": ("comments",)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_changes_what_is_selected_makes_a_series_of_its_own(changed):
    name = asked(**changed)
    assert name.startswith("team~")
    assert name == asked(**changed)
    assert Series(source=ANN, name=name).narrowed
    assert Series.is_name(name)


def test_what_is_shared_depends_on_the_runs_other_sources():
    assert asked(SHARED) == "team"
    assert asked(SHARED, sources=["shared/ann@example.com"]).startswith("team~")


@pytest.mark.parametrize(
    "users",
    [
        {"users": None},
        {"users": {"exclude": ["x*"]}},
        {"users": {"exclude": ["robot-*"], "domain": "example.com"}},
        {"users": {"exclude": ["robot-*"], "org_units": ["/Sales"]}},
        {"users": {"exclude": ["robot-*"], "include": ["a*"]}},
    ],
)
def test_what_is_shared_depends_on_all_that_the_other_patterns_say(users):
    """What one of the other sources holds is left out, so a pattern that finds more of them makes it less."""
    job = {"users": {"exclude": ["robot-*", "a", "a"]}}

    def selected(pattern):
        return Selected(sources=tuple(map(parse_entry, (pattern, "shared/*"))), items=ItemSettings())

    own, same = selected(job), selected({"users": {"exclude": ["a", "robot-*"]}})
    assert series_name("team", own, same, SHARED) == "team"
    assert series_name("team", own, selected(users), SHARED).startswith("team~")
    assert series_name("team", own, selected(users), ANN) == "team"


def test_a_time_in_another_zone_is_the_same_time():
    def selected(since):
        return Selected(sources=(ANN,), items=ItemSettings.of_params({"modified_since": since}))

    own = selected("2026-01-31")
    for same in ("2026-01-31T00:00:00Z", "2026-01-31T01:00:00+01:00", "2026-01-30T19:00-05:00"):
        assert series_name("team", own, selected(same), ANN) == "team"
    assert series_name("team", own, selected("2026-01-31T01:00Z"), ANN) != "team"


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"])
def test_a_time_that_leads_out_of_the_years_that_there_are_is_refused_in_a_sentence(since):
    with pytest.raises(ConfigError, match="modified_since"):
        ItemSettings.of_params({"modified_since": since})


def test_a_user_that_no_pattern_of_the_job_can_find_is_not_the_jobs():
    """Else the next night would alarm that it stopped."""
    entries = ("users/*@sales.example.com", {"shared": {"exclude": ["robot-*"]}}, "drives/Team *")
    job = Selected(sources=tuple(map(parse_entry, entries)), items=ItemSettings())
    expected = {
        "user/ann@sales.example.com": True,
        "user/ann@example.com": False,
        "shared/ann@example.com": True,
        "shared/robot-7@example.com": False,
        # A pattern may name a shared drive by its name, which an id does not tell.
        "drive/x": True,
    }
    assert {text: is_of_job(Source.parse(text), job) for text in expected} == expected


def test_what_a_job_backs_up_by_itself():
    job = Selected(sources=tuple(map(parse_entry, ("user/me", "drives/*", "folder/abc"))), items=ItemSettings())
    expected = {
        "user/ann@example.com": True,
        "drive/x": True,
        "folder/abc": True,
        "folder/x": False,
        "shared/a@b": False,
    }
    assert {text: is_of_job(Source.parse(text), job) for text in expected} == expected


def test_me_is_one_user_and_not_everybody():
    job = Selected(sources=(parse_entry("user/me"),), items=ItemSettings())
    assert names_me(job)
    assert is_of_job(ANN, job, "Ann@example.com")
    assert not is_of_job(Source.parse("user/bob@example.com"), job, "ann@example.com")


@pytest.mark.parametrize("jobs", [("default",), ("default", "noon")])
async def test_verification_finds_a_narrowed_snapshot_by_its_id_however_many_jobs_have_the_source(house, jobs):
    house.tomorrow(0.5)
    for job in jobs[1:]:
        await house.backup.run("2026-03-01T12:00", series=job)
    await house.backup.run("2026-03-01T13:00", include=("1.txt",), series=NARROWED)
    ident = "20260301T130000.000Z"
    for which in (ident, f"{NARROWED}/{ident}"):
        assert [name.key for name in await choose(house.store, ANN, which)] == [f"{NARROWED}/{ident}"]
    assert [name.key for name in await choose(house.store, ANN, ident, NARROWED)] == [f"{NARROWED}/{ident}"]
    for which in ("20260301T130000.001Z", f"{NARROWED}/20260301T130000.001Z", f"default/{ident}"):
        with pytest.raises(SnapshotNotFoundError, match="may have been deleted"):
            await choose(house.store, ANN, which)
    with pytest.raises(SnapshotNotFoundError, match=r"no series 'typo'.*There is: default"):
        await choose(house.store, ANN, f"typo/{ident}")
    with pytest.raises(SnapshotNotFoundError, match="Say one"):
        await choose(house.store, ANN, f"{NARROWED}/{ident}", "default")


async def test_a_hold_on_a_snapshot_of_any_series_is_honoured(house):
    for day in range(1, 4):
        house.tomorrow(0.5)
        await house.backup.run(f"2026-03-{day:02d}T12:00", series="noon")
        await house.backup.run(f"2026-03-{day:02d}T12:00", include=("1.txt",), series=NARROWED)
        house.tomorrow(0.5)
        await house.back_up(day)
    old = [f"{series}/20260301T120000.000Z" for series in ("noon", NARROWED)]
    policy = Policy(keep=Keep(last=1), grace_days=1, brake_percent=100)
    assert set(old) <= set((await house.plan(policy)).goes)
    repository = SnapshotRepository(house.store)
    for name in await repository.names(ANN):
        if name.key in old:
            await hold(house.store, name, "case-7")
    assert not set(old) & set((await house.plan(policy)).goes)
    done = await house.apply(policy, approved=True)
    assert not set(old) & set(done.forgotten)
    assert {"noon/20260302T120000.000Z", "default/20260301T000000.000Z"} <= set(done.forgotten)
    await house.check()


async def test_the_night_after_a_run_by_hand_reads_changes_and_tries_what_fails_once():
    backup = Backup(FakeDrive(file("1.txt", b"1", id="1"), file("2.txt", b"2", id="2")))
    asked = []

    def before(ident):
        asked.append(ident)
        if ident == "2":
            raise ItemLaterError("Not now.", reason="downloadQuotaExceeded")

    backup.drive.before_read = before
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        await night(backup, day)
    backup.clock.set(at("2026-03-03T12:10"))
    await backup.run("2026-03-03T12:00", include=("1.txt",), series=NARROWED)
    backup.drive.write("1", b"changed", "2026-03-03T20:00:00.000Z")
    asked.clear()
    found = await night(backup, "2026-03-04")
    assert (found.listing, found.tries) == (("changes", None), [1])
    assert sorted(asked) == ["1", "2"]
    assert found.summary["left"].get("counts", {}) == {}


async def test_a_series_whose_manifests_a_person_deleted_is_cleared_away_and_takes_nothing_else_along(house):
    house.drive.add(file("extra.tmp", b"only by hand", id="extra"))
    house.tomorrow()
    await house.backup.run("2026-03-02", series=NARROWED)
    house.drive.delete("extra")
    house.tomorrow()
    await house.back_up()
    house.tomorrow(20)
    policy = Policy(keep=Keep(last=5), grace_days=1, brake_percent=100)
    assert (await house.plan(policy)).goes == ()
    for name in [each for each in house.store.blobs if f"/{NARROWED}/" in each and each.endswith("manifest.json")]:
        del house.store.blobs[name]
    await house.apply(policy, approved=True)
    assert not [each for each in house.store.blobs if each.startswith(f"snapshots/{ANN}/{NARROWED}/")]
    assert not [each for each in house.backup.contents() if "extra.tmp" in each]
    assert await house.check() == 2
