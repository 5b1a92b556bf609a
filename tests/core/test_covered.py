"""What others share with a user, in one job with the Drives that hold it: nothing is left out of both."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from include.drive_backup.errors import (
    AccountUnavailableError,
    DriveBackupError,
    ServiceUnavailableError,
    SnapshotIncompleteError,
)
from include.drive_backup.groups import run_work, write_groups
from include.drive_backup.handover import Filters, SourceTask
from include.drive_backup.listing_group import list_group
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.commit_group import commit_group
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import FOLDER, Source
from include.drive_backup.planning.copies import read_copies
from include.drive_backup.planning.run import plan_run, read_plans
from include.drive_backup.report import readable, verdict
from include.drive_backup.results import read_results
from include.drive_backup.transfer.batch import copy_batch
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, folder

INSTANT = "20260301T000000.000Z"
ANN, BOB, TEAM = "user/ann@example.com", "shared/bob@example.com", "drive/d1"
OF_ANN = {"owners": [{"emailAddress": "Ann@example.com"}]}
TEAM_ROOT = {"id": "d1", "name": "Team", "mimeType": FOLDER, "driveId": "d1", "version": "1", "trashed": False}
OF_CID = {"owners": [{"emailAddress": "cid@partner.example"}]}


class Job:
    """One run of several sources; ``refuse`` maps a source to what listing it raises."""

    def __init__(self, *sources: str, asked: bool = False, **settings):
        self.store = MemoryBlobStore()
        self.clock = FakeClock(at("2026-03-01T00:10"))
        self.settings = settings
        self.asked = asked
        self.sources = sources
        self.drives = {source: FakeDrive() for source in sources}
        self.refuse: dict[str, DriveBackupError] = {}
        self.instant = INSTANT

    @asynccontextmanager
    async def open_drive(self, task):
        if task.source in self.refuse:
            raise self.refuse[task.source]
        yield self.drives[task.source]

    async def run(self, *, copied=True):
        tasks = [
            SourceTask(source=source, instant=self.instant, run="r", asked=self.asked, **self.settings)
            for source in self.sources
        ]
        work = run_work("r")
        groups = await write_groups(self.store, work, tasks, (), max_groups=10)
        for group in groups:
            try:
                await list_group(self.open_drive, self.store, group, self.clock, asyncio.Event())
            except DriveBackupError:
                continue
        self.place, copies = await plan_run(
            self.store, groups, export_formats={}, max_batches=50, clock=self.clock, find_base=self.find_base
        )
        for copy in copies if copied else ():
            for batch in await read_copies(self.store, copy):
                await copy_batch(
                    self.drives[batch.task.source], self.store, batch, clock=self.clock, in_flight=4,
                    memory_bytes=2**28, resume=False, stop=asyncio.Event(),
                )  # fmt: skip
        for group in groups:
            plans = await read_plans(self.store, self.place, group)
            await commit_group(self.store, self.place, group, plans, self.clock, "test")
        self.found = await read_results(self.store, groups, self.place)
        return {summary["source"]: summary for summary in self.found.summaries}

    async def find_base(self, listing):
        return None

    @property
    def text(self):
        return readable([plan.to_dict() for plan in self.found.plans], self.found.summaries, self.found.missed)

    def judge(self, *, fail_on_unavailable=False):
        plans = [plan.to_dict() for plan in self.found.plans]
        verdict(plans, self.found.summaries, self.found.missed, fail_on_unavailable=fail_on_unavailable)

    async def restored(self, summary):
        """Path and bytes of each file, as a reader of the snapshot finds them."""
        manifest = Manifest.from_json(await self.store.read(summary["manifest"]))
        found = {}
        async for row in read_rows(self.store, manifest):
            for content in row["contents"] or ():
                found[row["path"]] = b"".join([piece async for piece in self.store.stream(content["blob"])])
        return found


def share(drive: FakeDrive, *entries) -> None:
    """Put items into "Shared with me": their tops have no parent that the user can see."""
    drive.add(*entries)
    for entry in entries:
        drive.items[entry.fields["id"]].pop("parents")


def job(**settings) -> Job:
    made = Job(ANN, BOB, **settings)
    shared = folder("hers", file("in it.txt", b"in it", id="in", **OF_CID), id="hers", **OF_ANN)
    made.drives[ANN].add(shared, file("own.txt", b"own", id="own", **OF_ANN))
    share(made.drives[BOB], shared, file("his.txt", b"his", id="his", **OF_CID))
    return made


async def test_what_another_source_of_the_run_holds_is_left_out_and_counted():
    made = job(asked=True)
    summary = (await made.run())[BOB]
    assert summary["status"] == "complete"
    assert await made.restored(summary) == {"his.txt": b"his"}
    assert summary["left_out"]["covered"] == 2
    assert summary["covered"] == {ANN: 2}
    assert "2 held by other sources of this run" in made.text
    assert f"covered by    {ANN} (2)" in made.text
    made.judge(fail_on_unavailable=True)


async def test_what_its_owners_listing_lacks_stays_in():
    """Drive lists it late to its owner, and already shows it to the one whom it is shared with."""
    made = job()
    del made.drives[ANN].items["in"]
    summary = (await made.run())[BOB]
    assert await made.restored(summary) == {"hers/in it.txt": b"in it", "his.txt": b"his"}
    assert summary["covered"] == {}, "the folder above it stays in with it"


@pytest.mark.parametrize("fail_on_unavailable", [False, True])
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        AccountUnavailableError("Off.", reason="domainPolicy"),
        ServiceUnavailableError("Drive is down.", service="drive"),
    ],
)
async def test_what_a_source_holds_that_could_not_be_listed_stays_in(error, asked, fail_on_unavailable):
    made = job(asked=asked)
    made.refuse[ANN] = error
    summary = (await made.run())[BOB]
    assert summary["status"] == "complete"
    assert await made.restored(summary) == {"hers/in it.txt": b"in it", "his.txt": b"his"}
    assert "covered" not in summary["left_out"]
    assert (summary["covered"], summary["not_covered"]) == ({}, {ANN: 2})
    # A pattern found it and it cannot be read for good: all that is shared is saved, so only the strict job fails.
    left_out = isinstance(error, AccountUnavailableError) and not asked
    if left_out and not fail_on_unavailable:
        made.judge(fail_on_unavailable=False)
        return
    with pytest.raises(SnapshotIncompleteError, match=ANN):
        made.judge(fail_on_unavailable=fail_on_unavailable)


async def test_a_source_that_is_left_out_and_that_nobody_needs_fails_nothing():
    made = job()
    made.drives[BOB] = FakeDrive()
    share(made.drives[BOB], file("his.txt", b"his", id="his", **OF_CID))
    made.refuse[ANN] = AccountUnavailableError("Off.", reason="domainPolicy")
    await made.run()
    made.judge(fail_on_unavailable=True)


async def test_a_source_of_which_drive_did_not_list_all_covers_nothing():
    made = job(asked=True)
    made.drives[ANN].incomplete = True
    summary = (await made.run())[BOB]
    assert await made.restored(summary) == {"hers/in it.txt": b"in it", "his.txt": b"his"}
    with pytest.raises(SnapshotIncompleteError, match=f"did not list all of {ANN}"):
        made.judge()


async def test_a_source_with_a_folder_that_it_cannot_open_covers_nothing():
    """What is in that folder may be shared with others all the same."""
    made = job(asked=True)
    made.drives[ANN].add(folder("shut", id="shut", capabilities={"canListChildren": False}, **OF_ANN))
    share(made.drives[BOB], file("from there.txt", b"x", id="from", **OF_ANN))
    summary = (await made.run())[BOB]
    assert "from there.txt" in await made.restored(summary)


@pytest.mark.parametrize(
    "settings", [{"include": ("in *",)}, {"exclude": ("own.txt",)}, {"filters": Filters(exclude_folders=("nope",))}]
)
async def test_a_job_that_selects_by_path_leaves_nothing_out_as_covered(settings):
    """The path of an item is another one in its owner's Drive, so the owner's snapshot may not have it."""
    made = job(asked=True, **settings)
    summary = (await made.run())[BOB]
    assert "hers/in it.txt" in await made.restored(summary)
    assert summary["covered"] == {}


async def test_when_the_covering_source_ends_partial_the_report_says_whom_it_concerns():
    made = job(asked=True)
    made.drives[ANN].errors["own"] = [ServiceUnavailableError("Down.", service="drive")] * 9
    try:
        await made.run()
    except DriveBackupError:
        await made.run(copied=False)
    with pytest.raises(SnapshotIncompleteError, match=f"{BOB} relies on {ANN}, which has no complete snapshot"):
        made.judge()
    assert "NOT COMPLETE" in made.text


async def test_a_shared_drive_covers_what_is_shared_of_it_and_folders_of_others_stay_for_what_is_in_them():
    made = Job(TEAM, ANN, BOB, asked=True)
    team = file("team.txt", b"team", id="team", driveId="d1")
    of_ann = file("of ann.txt", b"ann", id="a", **OF_ANN)
    cids = folder("cids", of_ann, file("of cid.txt", b"cid", id="c", **OF_CID), id="cids", **OF_CID)
    made.drives[TEAM].items["d1"] = TEAM_ROOT
    made.drives[TEAM].add(team)
    made.drives[ANN].add(of_ann)
    share(made.drives[BOB], team, cids)
    summary = (await made.run())[BOB]
    assert await made.restored(summary) == {"cids/of cid.txt": b"cid"}
    assert summary["covered"] == {ANN: 1, TEAM: 1}


async def test_what_is_covered_now_and_was_not_before_did_not_get_lost():
    made = job(asked=True)
    made.refuse[ANN] = ServiceUnavailableError("Drive is down.", service="drive")
    first = (await made.run())[BOB]
    made.refuse.clear()
    made.instant = "20260302T000000.000Z"
    made.clock.set(at("2026-03-02T00:10"))

    async def before(listing):
        return first["manifest"] if listing.task.source == BOB else None

    made.find_base = before
    summary = (await made.run())[BOB]
    assert summary["left"]["counts"] == {"left_out": 2}
    manifest = await SnapshotRepository(made.store).find(Source.parse(BOB))
    assert manifest.covered == {ANN: 2}


async def test_what_is_shared_has_no_root():
    made = Job(ANN, TEAM, BOB)
    made.drives[TEAM].items["d1"] = TEAM_ROOT
    for ident, facts in (("hers", OF_ANN), ("his", OF_CID), ("team", {"driveId": "d1"})):
        shared = file(f"{ident}.txt", ident.encode(), id=ident, **facts)
        share(made.drives[BOB], shared)
        if ident != "his":
            made.drives[ANN if ident == "hers" else TEAM].add(shared)
    summary = (await made.run())[BOB]
    names = [name for name in made.store.blobs if name.startswith("content/shared/")]
    assert [name.rpartition("/")[0] for name in names] == ["content/shared/bob@example.com/his.txt"]
    assert summary["covered"] == {ANN: 1, TEAM: 1}
    assert "orphans" not in summary["counts"]


@pytest.mark.parametrize("owners", ["ann", [None], ["ann@example.com"], [{"emailAddress": ["x"]}], {"a": 1}, 5, True])
async def test_owners_that_cannot_be_read_stop_nothing_and_cover_nothing(owners):
    run = job()
    share(run.drives[BOB], file("odd.txt", b"odd", id="odd", owners=owners))
    made = await run.run()
    assert (await run.restored(made[BOB]))["odd.txt"] == b"odd"


@pytest.mark.parametrize("marked", [True, False], ids=["Drive marks the file", "Drive marks the folder alone"])
@pytest.mark.parametrize("trashed", [False, True], ids=["the trash is left out", "the trash is saved"])
async def test_what_the_owner_has_in_the_trash_is_covered_only_if_the_trash_is_saved(marked, trashed):
    """Two listings are not one moment: to the other user it may still be live."""
    made = Job(ANN, BOB, trashed=trashed)
    made.drives[ANN].add(
        folder("hers", file("in.txt", b"in it", id="in", trashed=marked, **OF_ANN), id="hers", trashed=True, **OF_ANN)
    )
    share(made.drives[BOB], file("in.txt", b"in it", id="in", **OF_ANN))
    summaries = await made.run()
    kept = {source: sorted((await made.restored(summary)).values()) for source, summary in summaries.items()}
    assert kept == ({ANN: [b"in it"], BOB: []} if trashed else {ANN: [], BOB: [b"in it"]})


async def test_a_listing_that_is_broken_in_the_work_area_stops_only_its_own_source(monkeypatch):
    made = Job(ANN, BOB, TEAM)
    made.drives[ANN].add(file("hers.txt", b"hers", id="in", **OF_ANN))
    made.drives[TEAM].items["d1"] = TEAM_ROOT
    made.drives[TEAM].add(file("team.txt", b"team", id="t", parents=["d1"]))
    share(made.drives[BOB], file("hers.txt", b"hers", id="in", **OF_ANN))
    plan_run = globals()["plan_run"]

    async def spoil_and_plan(store, *arguments, **options):
        [name] = [name for name in store.blobs if name.startswith(f"work/{ANN}/") and "/listing-" in name]
        store.blobs[name] = (b"broken", store.blobs[name][1])
        return await plan_run(store, *arguments, **options)

    monkeypatch.setitem(globals(), "plan_run", spoil_and_plan)
    summaries = await made.run()
    assert set(summaries) == {BOB, TEAM}
    assert await made.restored(summaries[BOB]) == {"hers.txt": b"hers"}
    with pytest.raises(SnapshotIncompleteError, match=f"{ANN} was not planned"):
        made.judge()
