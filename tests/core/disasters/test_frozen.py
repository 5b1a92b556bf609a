"""A process is frozen anywhere and wakes up when others have gone on: no complete snapshot lacks anything."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from include.drive_backup.errors import SnapshotNotFoundError, SourceBusyError
from include.drive_backup.locking import LIFETIME, SourceLock, holding
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import VOID_MANIFEST
from include.drive_backup.model import Series, Source
from include.drive_backup.protection import Reader, protected, register
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.holds import hold, read_holds, release
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.verification.run import choose, verify_source
from tests.core.retention.house import ANN, EVERYTHING, House

LIVES = LIFETIME.total_seconds()
RUN = "google_drive_backup/one"


class Freezer:
    """A container as one process has it, which is frozen in the middle of a request.

    :param when: ``unsent``: before the request is made; ``sent``: the guard has let it pass.
    """

    def __init__(self, store, operation, part_of_name, when="unsent", after=0):
        self._store, self._operation, self._part, self._when, self._left = store, operation, part_of_name, when, after
        self.frozen, self.thaw = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def put(self, name, data, *, guard=None, **options):
        guard = await self._pass("put", name, guard)
        return await self._store.put(name, data, guard=guard, **options)

    async def delete(self, names, *, guard=None):
        refused = {}
        for name in names:
            refused |= await self._store.delete([name], guard=await self._pass("delete", name, guard))
        return refused

    async def _pass(self, operation, name, guard):
        if operation != self._operation or self._part not in name or self.frozen.is_set():
            return guard
        self._left -= 1
        if self._left >= 0:
            return guard
        if self._when == "sent":
            if guard is not None:
                guard()
            guard = None
        self.frozen.set()
        await self.thaw.wait()
        return guard


class Standing:
    """The clock of a process whose watchers are frozen with it: nobody sleeps it forward."""

    def __init__(self, clock):
        self._clock = clock

    def now(self):
        return self._clock.now()

    def monotonic(self):
        return self._clock.monotonic()

    async def sleep(self, seconds):
        await asyncio.Event().wait()


@pytest.fixture
async def house():
    made = House()
    await made.back_up()
    for day in range(1, 5):
        made.tomorrow()
        await made.back_up(day)
    made.tomorrow(20)
    return made


def lock(house, holder, store=None, **options):
    return SourceLock(store or house.store, ANN, holder, clock=house.backup.clock, **options)


async def whole(house):
    """Nothing that a snapshot refers to is missing, and verification finds nothing."""
    count = await house.check()
    names = await choose(house.store, ANN)
    verified = await verify_source(house.store, names, "all", now=house.backup.clock.now(), keep_records=False)
    assert verified.damages == ()
    return count


async def commit(house, plan, store, holder=RUN):
    """As the last task of a run does it."""
    mine = lock(house, holder, store)
    async with holding(mine, Standing(house.backup.clock), give_back=True):
        return await commit_snapshot(store, plan, house.backup.clock, "test", mine)


async def retention(house, store=None, holder="retention/1", policy=EVERYTHING, plan=None):
    plan = plan or await house.plan(policy)
    store = store or house.store
    mine = lock(house, holder, store)
    return await apply_source(store, plan, policy, mine, Standing(house.backup.clock), approved=True)


async def planned(house, instant="2026-03-25"):
    """A run that has copied everything and is about to commit."""
    plan, batches = await house.backup.plan(instant)
    for batch in batches:
        await house.backup.copy(batch)
    return plan


def news(house):
    """Let there be content that only the next snapshot has."""
    house.drive.write("id1", b"new", "2026-03-24T12:00:00.000Z")


def lonely(house):
    """Let the Drive be as it was on the first day: a plan then points at content that only old snapshots have."""
    for n in range(1, 5):
        moment = "2026-02-01T00:00:00.000Z"
        house.drive.write(f"id{n}", f"file {n}".encode() * 10, moment)


@pytest.mark.parametrize("when", ["unsent", "sent"])
@pytest.mark.parametrize("operation", ["items-", "manifest.json"])
@pytest.mark.parametrize("retried", [False, True], ids=["", "and a later try of the run took the lock"])
async def test_a_frozen_commit_wakes_up_after_retention(house, when, operation, retried):
    """Frozen anywhere from its first part to its manifest, longer than the lock holds."""
    lonely(house)
    plan = await planned(house)
    store = Freezer(house.store, "put", f"20260325T000000.000Z/{operation}", when)
    frozen = asyncio.create_task(commit(house, plan, store))
    await store.frozen.wait()
    house.backup.clock.pass_by(LIVES + 60)
    await retention(house)
    if retried:
        await lock(house, RUN).take()
    store.thaw.set()
    with pytest.raises(SourceBusyError):
        await frozen
    assert await whole(house) == 1
    if retried:
        summary = await commit(house, plan, house.store)
        assert (summary["created"], summary["status"]) == (True, "partial")


@pytest.mark.parametrize("when", ["unsent", "sent"])
async def test_a_commit_whose_lock_was_taken_early_wakes_up_within_its_time(house, when):
    """Airflow says that the run has ended, but its process still lives: its deadline has not passed."""
    lonely(house)
    plan = await planned(house)
    store = Freezer(house.store, "put", "20260325T000000.000Z/manifest.json", when)
    frozen = asyncio.create_task(commit(house, plan, store))
    await store.frozen.wait()

    async def has_ended(holder):
        return True

    other = lock(house, "google_drive_backup/two", has_ended=has_ended)
    await other.take()
    await other.give_back()
    await retention(house)
    store.thaw.set()
    with pytest.raises(SourceBusyError):
        await frozen
    # Also if it had been killed before it could look again.
    manifest = "snapshots/user/ann@example.com/default/20260325T000000.000Z/manifest.json"
    assert house.store.blobs[manifest][0] == VOID_MANIFEST
    assert await whole(house) == 1


async def test_a_commit_that_wakes_up_after_its_time_writes_no_manifest(house):
    """Nobody made its place void, since another backup has the lock: its own guard stops it."""
    plan = await planned(house)
    store = Freezer(house.store, "put", "manifest.json")
    frozen = asyncio.create_task(commit(house, plan, store))
    await store.frozen.wait()
    house.backup.clock.pass_by(LIVES + 60)
    await lock(house, "another/1").take()
    store.thaw.set()
    with pytest.raises(SourceBusyError, match="was lost"):
        await frozen
    left = [name for name in house.store.blobs if "20260325T000000.000Z/" in name and name.startswith("snapshots/")]
    assert [name.rpartition("/")[2] for name in left if not name.endswith(".parquet")] == []


class RightAfter:
    """A container that does something right after the manifest was written, before anybody hears of it."""

    def __init__(self, store, then):
        self._store, self._then = store, then

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def put(self, name, data, *, guard=None, **options):
        made = await self._store.put(name, data, guard=guard, **options)
        if name.endswith("20260325T000000.000Z/manifest.json"):
            await self._then(guard)
        return made


async def loses_the_lock(house):
    """The lock expires, another run has it, and deletes what only the new snapshot refers to.

    :return: what was deleted.
    """
    house.backup.clock.pass_by(LIVES + 60)
    await lock(house, "another/1").take()
    newest = max(house.backup.contents(), key=lambda name: name.rpartition("/")[2])
    return {newest: house.store.blobs.pop(newest)}


async def loses_it_while_its_manifest_is_under_way(house, plan):
    """The process is frozen when the request is on the network; it arrives, and then the process wakes up."""
    store = Freezer(house.store, "put", "manifest.json", "sent")
    frozen = asyncio.create_task(commit(house, plan, store))
    await store.frozen.wait()
    deleted = await loses_the_lock(house)
    store.thaw.set()
    with pytest.raises(SourceBusyError):
        await frozen
    return deleted


def is_void(house):
    name = "snapshots/user/ann@example.com/default/20260325T000000.000Z/"
    return f"{name}manifest.json" in house.store.blobs and f"{name}void.json" in house.store.blobs


async def test_a_run_that_is_stopped_for_having_lost_the_lock_still_marks_the_manifest_that_it_wrote(house):
    """Who watches the lock wakes up at the same time as the commit, and stops it right after its write."""
    news(house)
    plan = await planned(house)

    async def cancelled(guard):
        await loses_the_lock(house)
        running.cancel()
        await asyncio.sleep(0)

    running = asyncio.create_task(commit(house, plan, RightAfter(house.store, cancelled)))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert is_void(house)


async def test_a_manifest_whose_answer_was_lost_is_marked_when_the_second_try_comes_too_late(house):
    """The first request was carried out, its answer never came, and the guard forbids to send it again."""
    news(house)
    plan = await planned(house)

    async def sent_again(guard):
        await loses_the_lock(house)
        guard()

    with pytest.raises(SourceBusyError):
        await commit(house, plan, RightAfter(house.store, sent_again))
    assert is_void(house)


async def test_a_manifest_that_is_written_before_retention_looks_is_kept(house):
    """The other order: the create-only write of the frozen run comes first."""
    plan = await planned(house)
    await commit(house, plan, house.store)
    before = await whole(house)
    await retention(house, policy=Policy(keep=Keep(last=before), brake_percent=100))
    assert await whole(house) == before


async def test_a_commit_that_lost_the_lock_while_it_wrote_the_manifest_is_void(house):
    """The request was under way when the lock was lost: no guard could stop it, and the place was not void."""
    news(house)
    plan = await planned(house)
    deleted = await loses_it_while_its_manifest_is_under_way(house, plan)
    name = replace((await SnapshotRepository(house.store).names(ANN))[-1], instant="20260325T000000.000Z")
    assert name.manifest in house.store.blobs
    assert b"run-6" in house.store.blobs[name.void][0]
    repository = SnapshotRepository(house.store)
    assert name not in await repository.names(ANN)
    assert await repository.read(name) is None
    assert not await repository.is_there(name)
    with pytest.raises(SnapshotNotFoundError):
        await repository.find(ANN, name.ident)
    assert (await repository.find(ANN)).name != name
    assert await whole(house) == 5
    # The next try makes another generation; what is void goes in its time, its mark last.
    house.store.blobs |= deleted
    house.backup.clock.pass_by(LIVES)
    summary = await commit(house, plan, house.store)
    assert (summary["generation"], summary["created"]) == (2, True)
    house.tomorrow(30)
    await retention(house)
    assert not [each for each in house.store.blobs if each.startswith(name.prefix)]
    assert await whole(house) == 1


async def test_a_commit_that_lost_the_lock_too_late_to_do_harm_stays_for_retention_may_rely_on_it(house):
    """Retention saw the manifest before its writer woke up, and deleted an earlier snapshot for its sake."""
    plan = await planned(house)
    store = Freezer(house.store, "put", "manifest.json", "sent")
    frozen = asyncio.create_task(commit(house, plan, store))
    await store.frozen.wait()
    house.backup.clock.pass_by(LIVES + 60)
    store.thaw.set()
    with pytest.raises(SourceBusyError):
        await frozen
    assert await whole(house) == 6
    summary = await commit(house, plan, house.store)
    assert (summary["generation"], summary["created"], summary["status"]) == (1, False, "complete")


async def test_what_is_void_stays_so_while_its_manifest_cannot_be_deleted(house):
    news(house)
    plan = await planned(house)
    await loses_it_while_its_manifest_is_under_way(house, plan)
    manifest = "snapshots/user/ann@example.com/default/20260325T000000.000Z/manifest.json"
    house.store.immutable = {manifest}
    house.tomorrow(30)
    await retention(house)
    assert manifest in house.store.blobs
    assert manifest.replace("manifest", "void") in house.store.blobs
    assert await whole(house) == 1


async def test_what_was_never_committed_is_void_for_every_reader_and_an_empty_manifest_is_damage(house):
    names = await SnapshotRepository(house.store).names(ANN)
    young = replace(names[-1], instant="20260324T000000.000Z")
    await house.store.put(young.part(0), b"of a run that was killed")
    await retention(house, policy=Policy(keep=Keep(last=5), brake_percent=100))
    assert house.store.blobs[young.manifest][0] == VOID_MANIFEST
    repository = SnapshotRepository(house.store)
    assert await repository.names(ANN) == names
    assert [name.generation for name in await repository.generations(young.series, young.instant)] == [1]
    assert await whole(house) == 5
    alone = replace(young, series=Series(source=Source(kind="user", id="bob@example.com")))
    await house.store.put(alone.manifest, VOID_MANIFEST)
    assert await repository.sources() == [ANN]
    for data in (b"", VOID_MANIFEST[:-1], VOID_MANIFEST + b" "):
        house.store.blobs.pop(young.manifest)
        await house.store.put(young.manifest, data)
        verified = await verify_source(
            house.store, await choose(house.store, ANN), "listing", now=house.backup.clock.now(), keep_records=False
        )
        assert [(damage.blob, damage.wrong) for damage in verified.damages] == [(young.manifest, "unreadable")]
    house.store.blobs.pop(young.manifest)
    await house.store.put(young.manifest, VOID_MANIFEST)
    house.tomorrow(30)
    await retention(house, policy=Policy(keep=Keep(last=5), brake_percent=100))
    assert not [name for name in house.store.blobs if name.startswith(young.prefix)]


@pytest.mark.parametrize("seconds", [LIVES, 20], ids=["", "soon"])
@pytest.mark.parametrize("when", ["unsent", "sent"])
@pytest.mark.parametrize("what", ["/manifest.json", "/items-", "content/", "work/"])
async def test_frozen_retention_wakes_up_after_a_backup(house, when, what, seconds):
    """It may have sent one request, and sends no other. Of a short lock its last look is still young."""
    lonely(house)
    store = Freezer(house.store, "delete", what, when)
    mine = lock(house, "retention/1", store, lifetime=timedelta(seconds=seconds))
    frozen = asyncio.create_task(
        apply_source(
            store, await house.plan(), EVERYTHING, mine, Standing(house.backup.clock), approved=True, leftover_days=14
        )
    )
    await store.frozen.wait()
    house.backup.clock.pass_by(seconds * 1.1)
    theirs = lock(house, RUN, lifetime=timedelta(seconds=seconds))
    await theirs.take()
    plan = await planned(house)
    summary = await commit_snapshot(house.store, plan, Standing(house.backup.clock), "test")
    assert (summary["created"], summary["status"]) == (True, "complete")
    before = set(house.store.blobs)
    store.thaw.set()
    with pytest.raises(SourceBusyError, match="was lost"):
        await frozen
    gone = before - set(house.store.blobs)
    assert len(gone) <= (when == "sent")
    if when == "unsent":
        await whole(house)


@pytest.mark.parametrize("what", ["/manifest.json", "/items-", "content/"])
async def test_a_lost_lock_alone_stops_retention_though_its_look_at_holds_is_young(house, what):
    store = Freezer(house.store, "delete", what)
    mine = lock(house, "retention/1", store, lifetime=timedelta(seconds=20))
    plan = await house.plan()
    clock = Standing(house.backup.clock)
    frozen = asyncio.create_task(apply_source(store, plan, EVERYTHING, mine, clock, approved=True))
    await store.frozen.wait()
    house.backup.clock.pass_by(22)
    await lock(house, RUN, lifetime=timedelta(seconds=20)).take()
    before = set(house.store.blobs)
    store.thaw.set()
    with pytest.raises(SourceBusyError, match="was lost"):
        await frozen
    assert set(house.store.blobs) == before


async def test_a_hold_that_comes_while_retention_is_frozen_holds(house):
    """Retention has looked for holds, and its request is under way: the service refuses it."""
    names = await SnapshotRepository(house.store).names(ANN)
    store = Freezer(house.store, "delete", names[0].manifest, "sent")
    frozen = asyncio.create_task(retention(house, store))
    await store.frozen.wait()
    assert await hold(house.store, names[0], "case-7")
    store.thaw.set()
    done = await frozen
    assert (done.held, done.refused) == ((names[0].key,), ())
    assert await whole(house) == 2


async def test_a_hold_that_comes_too_late_says_so_and_leaves_nothing(house):
    names = await SnapshotRepository(house.store).names(ANN)
    real = house.store.lease

    async def slow(name, **options):
        await retention(house)
        return await real(name, **options)

    plan = await house.plan()
    house.store.lease = slow

    async def blind(*_):
        return {}

    # Retention looked before the hold was written, and deletes before the lease is there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("include.drive_backup.retention.deletion.read_holds", blind)
        patch.setattr("include.drive_backup.retention.judging.read_holds", blind)
        with pytest.raises(SnapshotNotFoundError):
            await hold(house.store, names[0], "case-7")
    assert await read_holds(house.store, ANN) == {}
    assert names[0].key in plan.goes
    assert await whole(house) == 1


async def test_a_void_snapshot_cannot_be_held(house):
    names = await SnapshotRepository(house.store).names(ANN)
    await house.store.put(names[0].void, b"{}")
    with pytest.raises(SnapshotNotFoundError):
        await hold(house.store, names[0], "case-7")
    assert house.store.leases == {}


async def test_of_two_holds_the_last_one_to_go_frees_the_snapshot(house):
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    for tag in ("one", "two"):
        await hold(house.store, name, tag)
    assert await release(house.store, name, "one")
    assert list(await house.store.delete([name.manifest])) == [name.manifest]
    assert await release(house.store, name, "two")
    assert house.store.leases == {}


async def test_a_hold_that_comes_while_another_one_is_released_is_kept(house):
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    await hold(house.store, name, "one")
    real = house.store.end_lease

    async def slow(manifest, **options):
        await hold(house.store, name, "two")
        await real(manifest, **options)

    house.store.end_lease = slow
    await release(house.store, name, "one")
    assert list(await house.store.delete([name.manifest])) == [name.manifest]


@pytest.mark.parametrize("when", ["unsent", "sent"])
async def test_a_restore_that_begins_while_retention_is_frozen_keeps_its_snapshot(house, when):
    names = await SnapshotRepository(house.store).names(ANN)
    store = Freezer(house.store, "delete", names[0].manifest, when)
    frozen = asyncio.create_task(retention(house, store))
    await store.frozen.wait()
    async with protected(house.store, Standing(house.backup.clock), names[0], Reader("me", "restored"), print):
        # Awake again, it either looks again or is refused by the service.
        house.backup.clock.pass_by(50 if when == "sent" else 90)
        store.thaw.set()
        done = await frozen
        assert done.held == (names[0].key,)
        assert await house.check() == 2
    assert not [name for name in house.store.blobs if name.startswith("reading/")]


async def test_a_snapshot_that_is_read_is_kept_and_the_plan_says_by_whom(house):
    names = await SnapshotRepository(house.store).names(ANN)
    async with protected(house.store, Standing(house.backup.clock), names[1], Reader("me", "restored"), print):
        plan = await house.plan()
        reasons = {verdict.snapshot.name: verdict.reasons for verdict in plan.verdicts}
        assert reasons[names[1].key] == ("being restored by me",)
        await retention(house)
    assert await whole(house) == 2
    house.backup.clock.pass_by(60)
    await retention(house)
    assert await whole(house) == 1


async def test_retention_waits_while_all_of_a_source_is_verified_and_not_for_a_killed_one(house):
    clock = Standing(house.backup.clock)
    async with protected(house.store, clock, ANN, Reader("me", "verified"), print):
        with pytest.raises(SourceBusyError, match="being verified by me; this is tried again later"):
            await retention(house)
    await register(house.store, ANN, Reader("me", "verified"))  # and then it is killed
    house.backup.clock.pass_by(1790)
    with pytest.raises(SourceBusyError, match="being verified"):
        await retention(house)
    house.backup.clock.pass_by(10)
    await retention(house)
    assert not [name for name in house.store.blobs if name.startswith("reading/")]


async def test_a_long_reader_renews_its_record(house):
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    clock = house.backup.clock
    begin = clock.monotonic()
    async with protected(house.store, clock, name, Reader("me", "restored"), print):
        while clock.monotonic() < begin + 7200:  # noqa: ASYNC110 - the clock moves when another task sleeps
            await asyncio.sleep(0)
        records = [each for each in house.store.blobs if each.startswith("reading/")]
        assert 1 <= len(records) <= 2
        assert name.ident not in (await house.plan()).goes
    assert not [each for each in house.store.blobs if each.startswith("reading/")]


async def test_a_snapshot_that_was_deleted_in_spite_of_all_is_missed_at_the_end(house):
    name = (await SnapshotRepository(house.store).names(ANN))[0]
    with pytest.raises(SnapshotNotFoundError, match="was deleted while it was being restored"):
        async with protected(house.store, Standing(house.backup.clock), name, Reader("me", "restored"), print):
            house.store.blobs.pop(name.manifest)
    with pytest.raises(SnapshotNotFoundError, match="not there any more"):
        async with protected(house.store, Standing(house.backup.clock), name, Reader("me", "restored"), print):
            raise AssertionError("begun")
    assert not [each for each in house.store.blobs if each.startswith("reading/")]


async def test_retention_refuses_a_lock_that_would_be_taken_early(house):
    async def has_ended(holder):
        return True

    mine = lock(house, "retention/1", has_ended=has_ended)
    with pytest.raises(ValueError, match="deletes"):
        await apply_source(house.store, await house.plan(), EVERYTHING, mine, house.backup.clock, approved=True)
