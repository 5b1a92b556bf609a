"""Ten thousand sources in some hundred tasks: labels, references, what a retry does, what a failure hides."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from include.drive_backup.errors import (
    AccountUnavailableError,
    CredentialsError,
    PermanentError,
    ServiceUnavailableError,
    SnapshotIncompleteError,
    SourceNotFoundError,
    StoppedError,
    TransientError,
)
from include.drive_backup.groups import LeftOut, label_of, read_group, run_work, write_groups
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing_group import list_group
from include.drive_backup.manifest.commit_group import commit_group, sums
from include.drive_backup.planning.copies import pack, read_copies
from include.drive_backup.planning.run import plan_run, read_plans
from include.drive_backup.report import readable, verdict
from include.drive_backup.results import read_results
from include.drive_backup.transfer.batch import copy_batch
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file

INSTANT = "20260301T000000.000Z"


class Run:
    """One run over many users, each with a Drive of their own; ``refuse`` maps a user to what opening it raises."""

    def __init__(self, users, *, max_groups=3, asked=False, kind="user", store=None, **settings):
        self.store = store or MemoryBlobStore()
        self.clock = FakeClock(at("2026-03-01T00:10"))
        self.drives = {user: FakeDrive(file("a.txt", user.encode(), id=f"id-{user}")) for user in users}
        self.refuse = {}
        self.opened = []
        self.max_groups = max_groups
        self.tasks = [
            SourceTask(source=f"{kind}/{user}", instant=INSTANT, run="r", subject=user, asked=asked, **settings)
            for user in users
        ]

    @asynccontextmanager
    async def open_drive(self, task):
        subject = task.subject
        self.opened.append(subject)
        if subject in self.refuse:
            raise self.refuse[subject]
        yield self.drives[subject]

    async def resolve(self, left_out=()):
        work = run_work("r")
        self.groups = await write_groups(self.store, work, self.tasks, left_out, max_groups=self.max_groups)
        return self

    async def list(self, group, stop=None):
        return await list_group(self.open_drive, self.store, group, self.clock, stop or asyncio.Event())

    async def plan(self, max_batches=50):
        async def none(_):
            return None

        self.place, self.copies = await plan_run(
            self.store,
            self.groups,
            export_formats={},
            max_batches=max_batches,
            clock=self.clock,
            find_base=none,
        )

    async def copy(self):
        for copies in self.copies:
            for batch in await read_copies(self.store, copies):
                await copy_batch(
                    self.drives[batch.task.subject], self.store, batch, clock=self.clock, in_flight=4,
                    memory_bytes=2**28, resume=False, stop=asyncio.Event(),
                )  # fmt: skip

    async def commit(self, group):
        plans = await read_plans(self.store, self.place, group)
        return await commit_group(self.store, self.place, group, plans, self.clock, "test")

    async def report(self):
        found = await read_results(self.store, self.groups, self.place)
        plans = [plan.to_dict() for plan in found.plans]
        text = readable(plans, found.summaries, found.missed)
        verdict(plans, found.summaries, found.missed)
        return text

    async def everything(self, **options):
        await self.resolve()
        for group in self.groups:
            await self.list(group)
        await self.plan(**options)
        await self.copy()
        return [await self.commit(group) for group in self.groups]


def users(count):
    return [f"user{number:05d}@example.com" for number in range(count)]


# names and references


def test_a_group_of_one_has_the_name_of_its_source():
    assert label_of(["user/ann@example.com"]) == "user/ann@example.com"


def test_a_group_is_named_after_its_first_and_last_source():
    long = "drive/" + "x" * 60
    assert label_of(["user/b@example.com", long, "user/a@example.com"]) == (
        f"3 sources: {long[:39]}… to user/b@example.com"
    )


async def test_few_sources_keep_their_order_and_have_a_group_each():
    run = await Run(["zoe@example.com", "ann@example.com"]).resolve()
    assert [group.label for group in run.groups] == ["user/zoe@example.com", "user/ann@example.com"]


async def test_ten_thousand_sources_are_two_hundred_small_references():
    run = await Run(users(10_000), max_groups=200).resolve()
    assert len(run.groups) == 200
    assert {group.sources for group in run.groups} == {50}
    assert len(json.dumps([group.to_dict() for group in run.groups])) < 60_000
    dealt = [task.source for group in run.groups for task in await read_group(run.store, group)]
    assert dealt == sorted(task.source for task in run.tasks)


# a whole run


async def test_each_source_of_a_group_has_a_snapshot_of_its_own():
    run = Run(users(7))
    committed = await run.everything()
    summaries = [summary for done, errors in committed for summary in done if not errors]
    assert {summary["source"] for summary in summaries} == {task.source for task in run.tasks}
    assert all(summary["counts"] == {"copied": 1} for summary in summaries)
    assert "COMPLETE" in await run.report()
    assert sums(summaries)["counts"] == {"copied": 7}


async def test_many_sources_are_summed_up_and_only_the_bad_ones_shown():
    run = Run(users(40), max_groups=4)
    run.refuse["user00003@example.com"] = AccountUnavailableError("Drive is off.", reason="domainPolicy")
    run.drives["user00005@example.com"].incomplete = True
    await run.resolve([LeftOut(source="drive/d", reason="notAMember", message="Add it.")])
    for group in run.groups:
        await run.list(group)
    await run.plan(max_batches=3)
    assert len(run.copies) == 3
    assert "13 sources: " in run.copies[0].label
    await run.copy()
    for group in run.groups:
        await run.commit(group)
    found = await read_results(run.store, run.groups, run.place)
    text = readable([plan.to_dict() for plan in found.plans], found.summaries, found.missed)
    assert "41 sources: 38 complete, 1 partial, 2 left out, 0 not listed" in text
    assert "drive/d: LEFT OUT (notAMember): Add it." in text
    assert "user/user00003@example.com: LEFT OUT (domainPolicy): Drive is off." in text
    assert "user/user00005@example.com as of" in text
    assert "user/user00006@example.com" not in text
    with pytest.raises(SnapshotIncompleteError, match="user00005"):
        await run.report()


# listing: what fails


async def test_a_source_that_a_pattern_found_and_nobody_may_read_is_left_out():
    run = await Run(users(3), max_groups=1).resolve()
    run.refuse["user00001@example.com"] = SourceNotFoundError("No.", reason="notFound")
    assert await run.list(run.groups[0]) == {"sources": 2, "left_out": 1, "items": 2, "bytes": 42}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (True, AccountUnavailableError("Suspended.", reason="access_denied")),
        (True, SourceNotFoundError("No.", reason="notFound")),
        (False, CredentialsError("The scope is missing.", reason="unauthorized_client")),
        (False, ServiceUnavailableError("Drive is down.", service="drive")),
    ],
)
async def test_everything_else_fails_the_task_and_hides_no_other_source(asked, error):
    run = await Run(users(3), max_groups=1, asked=asked).resolve()
    run.refuse["user00001@example.com"] = error
    with pytest.raises(type(error), match=str(error)):
        await run.list(run.groups[0])
    await run.plan()
    await run.copy()
    summaries, errors = await run.commit(run.groups[0])
    assert (len(summaries), errors) == (2, [])
    with pytest.raises(SnapshotIncompleteError, match=r"user00001@example\.com was not listed"):
        await run.report()


async def test_several_failures_are_named_together_and_tried_again_when_one_of_them_may_pass():
    run = await Run(users(5), max_groups=1, asked=True).resolve()
    for user in users(5)[1:]:
        run.refuse[user] = SourceNotFoundError(f"No {user}.")
    with pytest.raises(PermanentError, match=r"4 of 5 sources could not be listed: No user00001.*And 1 more"):
        await run.list(run.groups[0])
    run.refuse["user00004@example.com"] = ServiceUnavailableError("Down.", service="drive")
    with pytest.raises(TransientError):
        await run.list(run.groups[0])


async def test_all_left_out_is_not_a_good_run():
    run = await Run(users(2), max_groups=1).resolve()
    run.refuse = dict.fromkeys(users(2), AccountUnavailableError("Off.", reason="domainPolicy"))
    assert (await run.list(run.groups[0]))["left_out"] == 2
    await run.plan()
    with pytest.raises(SnapshotIncompleteError, match="all 2 sources"):
        await run.report()


# retries


async def test_a_retry_lists_only_what_is_missing_and_a_cleared_task_everything():
    run = await Run(users(6), max_groups=1).resolve()
    run.refuse["user00002@example.com"] = ServiceUnavailableError("Down.", service="drive")
    with pytest.raises(ServiceUnavailableError):
        await run.list(run.groups[0])
    run.refuse.clear()
    run.opened.clear()
    assert (await run.list(run.groups[0]))["sources"] == 6
    assert run.opened == ["user00002@example.com"]
    run.opened.clear()
    run.drives["user00000@example.com"].add(file("new.txt", b"new", id="new"))
    assert (await run.list(run.groups[0]))["items"] == 7
    assert sorted(run.opened) == users(6)
    await run.plan()
    plans = await read_plans(run.store, run.place, run.groups[0])
    assert sum(plan.listing.items for plan in plans) == 7


async def test_a_stopped_task_keeps_what_it_has_and_begins_nothing_more():
    run = await Run(users(6), max_groups=1).resolve()
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StoppedError):
        await run.list(run.groups[0], stop)
    assert run.opened == []


async def test_one_commit_that_fails_hides_no_other_and_a_retry_does_only_that_one():
    run = Run(users(4), max_groups=1)
    await run.resolve()
    await run.list(run.groups[0])
    await run.plan()
    await run.copy()

    def down(phase, operation, name):
        if operation == "put" and phase == "before" and name.startswith("snapshots/user/user00002"):
            raise ServiceUnavailableError("Blob is down.", service="blob")

    run.store.fault = down
    summaries, errors = await run.commit(run.groups[0])
    assert [type(error) for error in errors] == [ServiceUnavailableError]
    assert len(summaries) == 3
    with pytest.raises(SnapshotIncompleteError, match=r"user00002@example\.com was not committed"):
        await run.report()
    run.store.fault = None
    before = set(run.store.blobs)
    summaries, errors = await run.commit(run.groups[0])
    assert (len(summaries), errors) == (4, [])
    assert all(summary["created"] for summary in summaries)
    written = {name.split("/")[2] for name in set(run.store.blobs) - before if name.startswith("snapshots/")}
    assert written == {"user00002@example.com"}
    assert "COMPLETE" in await run.report()


async def test_a_partial_snapshot_is_committed_again_when_its_files_came_after_all():
    run = Run(users(2), max_groups=1)
    await run.resolve()
    await run.list(run.groups[0])
    await run.plan()
    summaries, _ = await run.commit(run.groups[0])
    assert {summary["status"] for summary in summaries} == {"partial"}
    await run.copy()
    summaries, _ = await run.commit(run.groups[0])
    assert {summary["status"] for summary in summaries} == {"complete"}
    assert {summary["generation"] for summary in summaries} == {2}


# copying


async def test_small_batches_of_many_sources_share_tasks_of_about_equal_cost():
    run = Run(users(30), max_groups=2)
    await run.everything(max_batches=4)
    assert len(run.copies) == 4
    assert {copies.batches for copies in run.copies} <= {7, 8}
    batches = [batch for copies in run.copies for batch in await read_copies(run.store, copies)]
    assert sorted(batch.task.source for batch in batches) == sorted(task.source for task in run.tasks)
    assert pack(batches, 30) == [[batch] for batch in batches]


async def test_a_dry_run_of_many_copies_nothing():
    run = Run(users(5), dry_run=True)
    await run.resolve()
    for group in run.groups:
        await run.list(group)
    await run.plan()
    assert run.copies == []
    assert "user/user00004@example.com as of 2026-03-01 00:00:00 UTC: DRY RUN" in await run.report()


async def test_a_dry_run_of_very_many_says_what_it_comes_to():
    run = Run(users(30), dry_run=True)
    await run.resolve()
    for group in run.groups:
        await run.list(group)
    await run.plan()
    text = await run.report()
    assert text.splitlines() == [
        "30 sources: DRY RUN, nothing was copied",
        "  would copy    30 content versions, 630 B, in 30 batches",
    ]
