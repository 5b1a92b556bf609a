"""What is shared with a user needs those of the other sources of its run: as long as it is there, they stay."""

import json

import pytest
from msgspec.structs import replace

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore.batches import RestoreTask, verdict, work_of
from include.drive_backup.restore.container_batches import plan_container_restore
from include.drive_backup.restore.orders import shortfall
from include.drive_backup.retention.apply import apply_source
from include.drive_backup.retention.holds import hold
from include.drive_backup.retention.plan import plan_source
from include.drive_backup.retention.reliance import Reliance, needed
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.retention.run import plan_all
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.verification.drill import drill
from tests.core.test_covered import ANN, BOB, OF_ANN, Job, share
from tests.support.fake_drive import at
from tests.support.memory_target import MemoryTargetStore
from tests.support.trees import file, folder

NIGHTS = ("01", "02", "03", "04")
SETTINGS = RetentionSettings.model_validate({"keep": {"daily": 2}, "sources": {"shared/*": {"last": 9}}})


@pytest.fixture
async def job():
    """On the first night Bob's snapshot leaves out what Ann's has; then it is gone."""
    made = Job(ANN, BOB)
    made.store.clock = made.clock
    hers = folder("hers", file("contract.txt", b"the contract", id="in", **OF_ANN), id="hers", **OF_ANN)
    made.drives[ANN].add(hers, *[file(f"{n}.txt", b"%d" % n * 50, id=f"o{n}", **OF_ANN) for n in range(12)])
    share(made.drives[BOB], hers)
    for night in NIGHTS:
        made.clock.set(at(f"2026-03-{night}T00:10"))
        made.instant = f"202603{night}T000000.000Z"
        summaries = await made.run()
        if night == NIGHTS[0]:
            made.first = parse_snapshot(summaries[BOB]["manifest"])
            made.drives[ANN].delete("in")
            made.drives[ANN].delete("hers")
            made.drives[BOB].items.clear()
    made.clock.set(at("2026-03-20T00:10"))
    return made


async def apply(job, plan, policy):
    lock = SourceLock(job.store, Source.parse(plan.source), f"r {plan.source}", clock=job.clock)
    return await apply_source(job.store, plan, policy, lock, job.clock, approved=True)


async def retain(job, settings=SETTINGS, globs=()):
    plans = await plan_all(job.store, settings, globs)
    for plan in plans:
        await apply(job, plan, settings.policy(plan.source, approved=True))
    return {plan.source: plan for plan in plans}


def instants(job, source):
    return {name.split("/")[4][:8] for name in job.store.blobs
            if name.startswith(f"snapshots/{source}/") and name.endswith("/manifest.json")}  # fmt: skip


def has_contract(job):
    return any("contract.txt" in name for name in job.store.blobs if name.startswith("content/"))


async def test_a_kept_snapshot_keeps_those_that_it_needs(job):
    plans = await retain(job)
    assert instants(job, ANN) == {"20260301", "20260303", "20260304"}
    [verdict] = [each for each in plans[ANN].verdicts if each.snapshot.instant.startswith("20260301")]
    assert verdict.reasons == ("needed by shared/bob@example.com 20260301T000000.000Z",)
    assert has_contract(job)


@pytest.mark.parametrize("globs", [["user/*"], ["user/*", "drive/*"]])
async def test_also_when_only_other_sources_are_looked_at(job, globs):
    await retain(job, globs=globs)
    assert has_contract(job)


async def test_a_held_one_keeps_them_also_where_one_source_is_looked_at_alone(job):
    await hold(job.store, job.first, "case-7")
    for source in (ANN, BOB, ANN):
        policy = Policy(keep=Keep(daily=2))
        await apply(job, await plan_source(job.store, Source.parse(source), policy), policy)
    assert instants(job, ANN) == {"20260301", "20260303", "20260304"}
    assert has_contract(job)


async def test_what_goes_frees_what_it_needed_for_the_next_time(job):
    settings = RetentionSettings.model_validate({"keep": {"daily": 2}})
    await retain(job, settings)
    assert instants(job, BOB) == {"20260303", "20260304"}
    assert has_contract(job)
    await retain(job, settings)
    assert instants(job, ANN) == {"20260303", "20260304"}
    assert not has_contract(job)


async def test_one_that_cannot_be_read_may_need_anything_of_its_run(job):
    _, info = job.store.blobs[job.first.manifest]
    job.store.blobs[job.first.manifest] = (b"no json", replace(info, size=7, md5=None))
    await retain(job)
    assert has_contract(job)


async def test_a_source_that_cannot_be_planned_at_all_may_need_anything_of_its_runs(job, monkeypatch):
    """Its snapshots are named by the listing of the container; what is in them is not known."""
    real = job.store.read

    async def read(name):
        if name.startswith(f"snapshots/{BOB}/"):
            raise PermissionError("odd")
        return await real(name)

    monkeypatch.setattr(job.store, "read", read)
    plans = {plan.source: plan for plan in await plan_all(job.store, SETTINGS)}
    assert "PermissionError" in plans[BOB].failed
    assert plans[ANN].goes == ()


async def test_only_snapshots_of_the_same_run_are_needed(job):
    manifest = await SnapshotRepository(job.store).find(Source.parse(ANN), "20260301T000000.000Z")
    by = Reliance(by="bob", instant=manifest.instant, series="default", homes=(ANN,), run_id="another")
    assert needed([manifest], [by]) == {manifest.name.key: ("needed by bob",)}
    narrowed = replace(manifest, series="default~0123abcd")
    assert needed([narrowed], [by]) == {}
    assert needed([narrowed], [replace(by, run_id=manifest.run_id)])
    for other in (replace(by, homes=("user/cid@example.com",)), replace(by, instant="20260302T000000.000Z")):
        assert needed([manifest], [other]) == {}


async def test_the_plan_hands_on_what_is_needed(job):
    plan = next(plan for plan in await plan_all(job.store, SETTINGS) if plan.source == ANN)
    again = type(plan).from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again.needs == plan.needs != ()


async def test_a_restore_says_what_is_in_which_snapshot_of_which_source(job, tmp_path):
    manifest = await SnapshotRepository(job.store).read(job.first)
    said = "NOT ALL in the snapshot 20260301T000000.000Z: 2 items in the snapshot 20260301T000000.000Z of " + ANN
    assert said in shortfall(manifest)
    assert "PARTIAL" in shortfall(replace(manifest, status="partial"))
    assert said in shortfall(replace(manifest, status="partial"))
    task = RestoreTask(source=BOB, to="container/restored", run="manual", snapshot=job.first.ident)
    plan = await plan_container_restore(job.store, MemoryTargetStore(), task, work_of("manual", "one"))
    with pytest.raises(SnapshotIncompleteError, match=said):
        verdict({}, plan.shortfall)
    # What others have is no fault of this snapshot: a drill of each week is not red for it.
    drilled = await drill(job.store, manifest, tmp_path, drive=None, seed="x", most_bytes=10**6, most_files=10)
    assert drilled.shortfall is None
