"""The tasks of the retention DAG on a container in memory: when they ask, and that nothing goes without an answer."""

from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from drive_backup_airflow.operators import apply_retention, plan_retention, report_retention
from drive_backup_airflow.operators.apply_retention import ApplyRetentionOperator
from drive_backup_airflow.operators.approve_retention import ApproveRetentionOperator, was_approved
from drive_backup_airflow.operators.plan_retention import QUESTION, PlanRetentionOperator
from drive_backup_airflow.operators.report_retention import ReportRetentionOperator
from include.drive_backup.errors import (
    ApprovalNeededError,
    ConfigError,
    PermanentError,
    SourceBusyError,
    TransientError,
)
from include.drive_backup.journal import raise_together
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source
from include.drive_backup.protection import Reader, register
from include.drive_backup.retention.approval import are_approved, note_approved
from include.drive_backup.retention.settings import RetentionSettings
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

YES = {"chosen_options": ["Approve"]}


class Task(dict):
    """What a task instance has of XCom."""

    dag_id = "google_drive_retention"

    def xcom_push(self, key, value):
        self[key] = value

    def xcom_pull(self, task_ids, key):
        return self.get(key)


@pytest.fixture
async def store(monkeypatch):
    """Three snapshots of a Drive that changed each day."""
    made = Backup(FakeDrive(file("a.txt", b"a", id="a"), file("b.txt", b"b" * 1000)))
    made.store.clock = made.clock
    for day in (1, 2, 3):
        made.clock.set(at(f"2026-03-0{day}T00:10"))
        made.drive.write("a", b"day %d" % day, f"2026-02-2{day}T00:00:00.000Z")
        await made.run(f"2026-03-0{day}")
    made.clock.set(made.clock.now() + timedelta(days=10))

    @asynccontextmanager
    async def opened(*_):
        yield made.store

    for module in (plan_retention, apply_retention, report_retention):
        monkeypatch.setattr(module, "open_store", opened)
    for last in (1, 2, 3):
        await note_approved(made.store, RetentionSettings(keep={"last": last}), "an earlier run")
    return made.store


@pytest.fixture
async def nobody_has_approved(store):
    await store.delete([name for name in store.blobs if name.startswith("retention/")])


def context(ti, run_type="manual", **params):
    conf = {"sources": [], "dry_run": False, **params}
    return {
        "ti": ti,
        "run_id": "run",
        "params": conf,
        "dag_run": SimpleNamespace(conf=params, run_type=run_type),
        "dag": SimpleNamespace(params={"sources": None, "dry_run": None}),
    }


async def plan(ti, last, **options):
    task = PlanRetentionOperator(task_id="plan", retention={"keep": {"last": last}})
    return await task.run(context(ti, **options), None)


async def apply(ti, group, last, answer=None):
    task = ApplyRetentionOperator(task_id="apply", group=group, retention={"keep": {"last": last}}, answer=answer)
    return await task.run(context(ti), None)


async def report(ti, last, answer=None, **options):
    """The last task of a run of which every other one has succeeded."""
    task = ReportRetentionOperator(task_id="report", done=[], retention={"keep": {"last": last}})
    ti["return_value"] = answer
    ti.run_id, ti.get_task_states = "run", lambda **_: {"run": {}}
    ti.get_task_breadcrumbs = lambda **_: []
    return await task.run(context(ti, **options), None)


def manifests(store):
    return [name for name in store.blobs if name.endswith("manifest.json")]


async def test_a_dry_run_hands_on_nothing_and_a_scheduled_run_is_none(store):
    assert await plan(Task(), 1, dry_run=True) == []
    assert len(await plan(Task(), 1, dry_run=True, run_type="scheduled")) == 1


async def test_what_is_usual_goes_unasked(store):
    ti = Task()
    [group] = await plan(ti, 2)
    assert QUESTION not in ti
    assert ApproveRetentionOperator(task_id="approve", subject="?").execute({"ti": ti}) is None
    done = await apply(ti, group, 2)
    assert (done["snapshots"], len(manifests(store))) == (1, 2)


async def test_what_is_much_goes_only_with_a_yes(store):
    ti = Task()
    [group] = await plan(ti, 1)
    assert "2 of 3 snapshots would be deleted, more than half." in ti[QUESTION]
    for answer in (None, {"chosen_options": ["Reject"]}, "Approve"):
        with pytest.raises(ApprovalNeededError):
            await apply(ti, group, 1, answer)
    assert len(manifests(store)) == 3
    done = await apply(ti, group, 1, YES)
    assert (done["snapshots"], len(manifests(store))) == (2, 1)


async def test_a_yes_is_for_what_was_asked(store):
    """The plan had no brake; by the time it is applied it has one: a yes to other sources does not count."""
    ti = Task()
    [group] = await plan(ti, 2)
    with pytest.raises(ApprovalNeededError):
        await apply(ti, group, 1, YES)


async def test_a_yes_is_for_the_reasons_that_were_shown(store):
    """Somebody agrees that two of three snapshots go; before that is done, a night finds the Drive emptied."""
    made = Backup(FakeDrive(*(file(f"{n}.txt", b"%d" % n, id=f"n{n}") for n in range(20))), store)
    for day in (20, 21):
        made.clock.set(at(f"2026-03-{day}T00:10"))
        store.clock = made.clock
        await made.run(f"2026-03-{day}", mode="full")
    ti = Task()
    [group] = await plan(ti, 1)
    assert "was the Drive emptied?" not in ti[QUESTION]
    for n in range(18):
        made.drive.delete(f"n{n}")
    made.clock.set(at("2026-03-22T00:10"))
    await made.run("2026-03-22", mode="full")
    with pytest.raises(ApprovalNeededError, match="was the Drive emptied"):
        await apply(ti, group, 1, YES)
    assert len(manifests(store)) == 6
    assert (await apply(ti, (await plan(ti, 1))[0], 1, YES))["snapshots"] > 0


async def test_a_source_for_which_the_question_has_no_room_is_not_agreed_to(store, monkeypatch):
    for day in (1, 2, 3):
        made = Backup(FakeDrive(file("a.txt", b"a%d" % day, id="a")), store)
        made.clock.set(at(f"2026-03-0{day}T00:10"))
        await made.run(f"2026-03-0{day}", source="user/bob@example.com", mode="full")
    monkeypatch.setattr(plan_retention, "_MOST", 500)
    ti = Task()
    task = PlanRetentionOperator(task_id="plan", retention={"keep": {"last": 1}}, max_groups=1)
    [group] = await task.run(context(ti), None)
    assert "user/bob" not in ti[QUESTION]
    assert "and 1 more source for which there is no room here" in ti[QUESTION]
    with pytest.raises(ApprovalNeededError, match="user/bob"):
        await apply(ti, group, 1, YES)
    left = manifests(store)
    assert (len([name for name in left if "bob@" in name]), len([name for name in left if "ann@" in name])) == (3, 1)


async def test_the_question_names_every_snapshot_that_goes(store):
    ti = Task()
    await plan(ti, 1)
    for day in (1, 2):
        assert f"default/2026030{day}T000000.000Z" in ti[QUESTION]
    assert "20260303" not in ti[QUESTION]


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
async def test_rules_that_nobody_has_approved_ask_first_and_then_never_again(store, nobody_has_approved, run_type):
    ti = Task()
    [group] = await plan(ti, 2, run_type=run_type)
    assert "Nobody has approved these rules" in ti[QUESTION]
    with pytest.raises(ApprovalNeededError, match="Nobody has approved these rules"):
        await apply(ti, group, 2)
    assert len(manifests(store)) == 3
    assert (await apply(ti, group, 2, YES))["snapshots"] == 1
    await report(ti, 2, YES)
    later = Backup(FakeDrive(file("b.txt", b"b")), store)
    later.clock.set(at("2026-03-20T00:10"))
    await later.run("2026-03-20", mode="full")
    ti = Task()
    [group] = await plan(ti, 2, run_type=run_type)
    assert QUESTION not in ti
    assert (await apply(ti, group, 2))["snapshots"] == 1


async def test_who_approved_one_source_has_not_approved_the_others(store, nobody_has_approved):
    """A narrowed run shows a part of what the rules delete; and what had no room in the question was not shown."""
    for day in (1, 2, 3):
        made = Backup(FakeDrive(file("a.txt", b"a%d" % day, id="a")), store)
        made.clock.set(at(f"2026-03-0{day}T00:10"))
        await made.run(f"2026-03-0{day}", source="user/bob@example.com", mode="full")
    ti = Task()
    [group] = await plan(ti, 2, sources=["user/ann*"])
    await apply(ti, group, 2, YES)
    await report(ti, 2, YES)
    ti = Task()
    await plan(ti, 2)
    assert "user/bob" in ti[QUESTION]


async def test_what_had_no_room_in_the_question_is_not_deleted_by_what_another_task_notes(
    store, nobody_has_approved, monkeypatch
):
    for day in (1, 2, 3):
        made = Backup(FakeDrive(file("a.txt", b"a%d" % day, id="a")), store)
        made.clock.set(at(f"2026-03-0{day}T00:10"))
        await made.run(f"2026-03-0{day}", source="user/bob@example.com", mode="full")
    monkeypatch.setattr(plan_retention, "_MOST", 100)
    ti = Task()
    ann, bob = await plan(ti, 2)
    await apply(ti, ann, 2, YES)
    with pytest.raises(ApprovalNeededError, match="Nobody has approved"):
        await apply(ti, bob, 2, YES)
    await report(ti, 2, YES)
    assert not [name for name in store.blobs if name.startswith("retention/")]


async def test_a_run_with_a_failed_task_approves_no_rules(store, nobody_has_approved):
    ti = Task()
    [group] = await plan(ti, 2)
    await apply(ti, group, 2, YES)
    task = ReportRetentionOperator(task_id="report", done=[], retention={"keep": {"last": 2}})
    ti["return_value"] = YES
    ti.run_id, ti.get_task_states = "run", lambda **_: {"run": {"apply_retention_0": "failed"}}
    ti.get_task_breadcrumbs = lambda **_: []
    with pytest.raises(PermanentError):
        await task.run(context(ti), None)
    assert not [name for name in store.blobs if name.startswith("retention/")]


@pytest.mark.parametrize(
    "other",
    [
        {"sources": {"user/*": {"last": 1}, "user/ann*": {"last": 100}}},
        {"sources": {"user/ann*": {"last": 99}, "user/*": {"last": 1}}},
        {"sources": {"user/ann*": {"last": 100}, "user/*": {"last": 1}}, "grace_days": 1},
    ],
)
async def test_rules_in_another_order_or_with_another_grace_are_others(store, other):
    approved = RetentionSettings(sources={"user/ann*": {"last": 100}, "user/*": {"last": 1}})
    await note_approved(store, approved, "an earlier run")
    assert await are_approved(store, approved)
    assert not await are_approved(store, RetentionSettings.model_validate(other))


async def test_rules_that_were_changed_ask_again(store, nobody_has_approved):
    await note_approved(store, RetentionSettings(keep={"last": 3}), "an earlier run")
    ti = Task()
    await plan(ti, 2)
    assert "Nobody has approved these rules" in ti[QUESTION]


async def test_rules_by_which_nothing_goes_ask_nothing_and_are_not_approved_by_that(store, nobody_has_approved):
    ti = Task()
    [group] = await plan(ti, 3)
    assert QUESTION not in ti
    await apply(ti, group, 3)
    assert not [name for name in store.blobs if name.startswith("retention/")]


async def test_a_source_that_cannot_be_planned_fails_at_the_end_and_the_others_are_done(store):
    for day in (1, 2, 3):
        made = Backup(FakeDrive(file("a.txt", b"a%d" % day, id="a")), store)
        made.clock.set(at(f"2026-03-0{day}T00:10"))
        await made.run(f"2026-03-0{day}", source="user/bob@example.com", mode="full")

    def fault(phase, operation, name):
        if operation == "read" and name.startswith("snapshots/user/ann@"):
            raise OverflowError("odd")

    ti, store.fault = Task(), fault
    with pytest.raises(PermanentError, match=r"user/ann@example\.com cannot be planned"):
        await plan(Task(), 2, dry_run=True)
    task = PlanRetentionOperator(task_id="plan", retention={"keep": {"last": 2}}, max_groups=1)
    [group] = await task.run(context(ti), None)
    before = [name for name in manifests(store) if "ann@" in name]
    with pytest.raises(
        PermanentError, match=r"user/ann@example\.com could not be planned, so nothing was deleted of it"
    ):
        await apply(ti, group, 2)
    assert [name for name in manifests(store) if "ann@" in name] == before
    assert len([name for name in manifests(store) if "bob@" in name]) == 2


async def test_only_the_sources_that_were_named(store):
    assert await plan(Task(), 1, sources=["drive/*"]) == []
    assert len(await plan(Task(), 1, sources=["user/*"])) == 1


async def test_a_param_that_there_is_not_is_refused(store):
    with pytest.raises(ConfigError, match="dryrun"):
        await plan(Task(), 1, dryrun=True)


def test_only_approve_is_a_yes():
    assert was_approved(YES)
    assert not any(map(was_approved, (None, {}, {"chosen_options": ["Reject"]}, "Approve")))


async def test_what_grew_old_moves_to_a_cooler_tier_and_is_counted(store):
    settings = {"keep": {"last": 3}, "tiers": {"cool_days": 9}}
    ti = Task()
    [group] = await PlanRetentionOperator(task_id="plan", retention=settings).run(context(ti), None)
    content = [name for name in store.blobs if name.startswith("content/")]
    assert {store.blobs[name][1].tier for name in content} == {"hot"}
    store.fixed = {content[0]}
    done = await ApplyRetentionOperator(task_id="apply", group=group, retention=settings, answer=None).run(
        context(ti), None
    )
    assert (done["moved"], done["unmoved"], done["snapshots"]) == (len(content) - 1, 1, 0)
    assert {store.blobs[name][1].tier for name in content[1:]} == {"cool"}
    assert {info.tier for name, (_, info) in store.blobs.items() if name not in content} == {"hot"}


async def test_a_dry_run_moves_nothing(store):
    settings = {"tiers": {"cool_days": 0}}
    groups = await PlanRetentionOperator(task_id="plan", retention=settings).run(context(Task(), dry_run=True), None)
    assert groups == []
    assert store.calls["tier"] == 0


async def test_sources_that_are_busy_are_waited_for_and_the_others_are_not_judged_again(store):
    """However many are busy, waiting takes no try; and it may take many rounds."""
    drive = FakeDrive(file("a.txt", b"a", id="a"))
    for who in ("bob", "cora"):
        made = Backup(drive, store)
        for day in (1, 2, 3):
            made.clock.set(at(f"2026-03-0{day}T00:10"))
            await made.run(f"2026-03-0{day}", source=f"user/{who}@example.com", mode="full")
    ti = Task()
    task = PlanRetentionOperator(task_id="plan", retention={"keep": {"last": 2}}, max_groups=1)
    [group] = await task.run(context(ti), None)
    bob, cora = (Source.parse(f"user/{who}@example.com") for who in ("bob", "cora"))
    await SourceLock(store, bob, "google_drive_backup/one").take()
    record = await register(store, cora, Reader("me", "verified"))
    for round_ in range(2):
        with pytest.raises(SourceBusyError):
            await apply(ti, group, 2)
        if not round_:
            looked = store.calls["list"]
    assert store.calls["list"] - looked < 20
    assert not [name for name in manifests(store) if "ann@" in name and "20260301" in name]
    await store.delete([record, *(name for name in store.blobs if name.startswith("locks/user/bob"))])
    done = await apply(ti, group, 2)
    assert done["sources"] == 3
    assert not [name for name in store.blobs if name.startswith("reading/")]


async def test_one_busy_source_and_one_that_fails_are_a_failure(store):
    ti = Task()
    [group] = await plan(ti, 2)
    await register(store, Source.parse("user/ann@example.com"), Reader("me", "verified"))
    with pytest.raises(SourceBusyError, match="being verified by me"):
        await apply(ti, group, 2)
    raised = [SourceBusyError("busy"), ApprovalNeededError("no")]
    with pytest.raises(TransientError) as caught:
        raise_together(raised, "two")
    assert not isinstance(caught.value, SourceBusyError)
    with pytest.raises(SourceBusyError, match="two: busy"):
        raise_together([raised[0]] * 2, "two")
