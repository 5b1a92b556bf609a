"""Where the restore DAG may go, and who has to agree: nobody copies a backup to wherever they like."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from drive_backup_airflow.operators import approve_restore, restore
from drive_backup_airflow.operators.approve_restore import NOT_ASKED, ApproveRestoreOperator, objection
from drive_backup_airflow.operators.restore import PlanRestoreOperator
from drive_backup_airflow.restore_params import restore_task
from drive_backup_airflow.retry import PermanentTaskProblem
from include.drive_backup.errors import ApprovalNeededError, ConfigError, SourceNotFoundError
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import write_people
from include.drive_backup.restore.allowed import asks, check_allowed
from include.drive_backup.restore.person import check_person, of_person
from include.drive_backup.restore.settings import RestoreSettings
from tests.adapters.test_restore_operators import ANN, context
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive
from tests.support.memory_blob import MemoryBlobStore

BOB = "bob@example.com"
OWN = ("drive_backup_blob", "drive-backup")
YES = {"chosen_options": ["Approve"], "responded_by_user": {"id": "2", "name": "Bob"}}


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """The container that the tasks look into."""
    made = MemoryBlobStore()

    @asynccontextmanager
    async def open_store(*_):
        yield made

    for module in (approve_restore, restore):
        monkeypatch.setattr(module, "open_store", open_store)
    return made


@pytest.fixture
def asked(monkeypatch):
    """The questions that were asked."""
    found = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.HITLOperator.execute", lambda task, _: found.append(task.body)
    )
    return found


def know(store, *persons):
    assert asyncio.run(write_people(store, 0, People(persons), "run", FakeClock()))


def check(settings=None, **params):
    check_allowed(RestoreSettings(**(settings or {})), restore_task(context(**params)), *OWN)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"to": ANN},
        {"to": "user/ANN@example.com"},
        {"to": ANN, "act_as": "ann@example.com"},
        {"source": "drive/D1", "to": "drive/D1"},
        {"source": "folder/F1"},
        {"source": "shared/ann@example.com", "to": ANN},
        {"to": "container/drive-backup"},
    ],
)
def test_back_to_where_it_came_from_is_always_allowed(params):
    check(**params)


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"to": "user/bob@example.com"}, "restore.places"),
        ({"to": "drive/D1"}, "restore.places"),
        ({"to": "folder/F1"}, "restore.places"),
        ({"source": "folder/F1", "to": "folder/f1"}, "restore.places"),
        ({"source": "drive/D1", "to": "drive/D1", "act_as": "ceo@example.com"}, "restore.act_as"),
        ({"to": ANN, "act_as": "bob@example.com"}, "restore.act_as"),
        ({"to": "container/other"}, "restore.containers"),
        ({"to": "container/drive-backup", "to_conn_id": "elsewhere"}, "restore.containers"),
        ({"to": "container/drive-backup-2/x"}, "restore.containers"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_anything_else_is_refused_with_the_key_that_allows_it(params, key, dry_run):
    with pytest.raises(ConfigError, match=key):
        check(**params)
    with pytest.raises(ConfigError, match=key):
        await PlanRestoreOperator(task_id="a").run(context(**params, dry_run=dry_run), None)


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        ({"places": ["user/*@EXAMPLE.com"]}, {"to": "user/bob@example.com"}),
        ({"places": ["folder/F1", "drive/*"]}, {"to": "drive/D9"}),
        ({"places": ["*"], "act_as": ["*@example.com"]}, {"to": "folder/F1", "act_as": "Bob@example.com"}),
        ({"containers": ["drive_backup_blob/restored"]}, {"to": "container/restored/some/prefix"}),
        ({"containers": ["elsewhere/*"]}, {"to": "container/other", "to_conn_id": "elsewhere"}),
        ({"containers": ["*"]}, {"to": "container/other", "to_conn_id": "elsewhere"}),
    ],
)
def test_what_the_config_names_is_allowed(settings, params):
    check(settings, **params)


def test_what_is_allowed_of_one_connection_is_not_of_another():
    with pytest.raises(ConfigError, match="elsewhere/restored"):
        check({"containers": ["drive_backup_blob/restored"]}, to="container/restored", to_conn_id="elsewhere")


@pytest.mark.parametrize("bad", [{"places": ["container/x"]}, {"containers": ["restored"]}, {"approval": "sometimes"}])
def test_a_key_that_cannot_be_meant_is_refused(bad):
    with pytest.raises(ValueError, match=r"restore|places|containers|approval"):
        RestoreSettings(**bad)


@pytest.mark.parametrize(
    ("approval", "params", "asked"),
    [
        ("never", {"to": "user/bob@example.com"}, False),
        ("elsewhere", {}, False),
        ("elsewhere", {"to": "user/bob@example.com"}, True),
        ("elsewhere", {"to": "container/restored"}, True),
        ("elsewhere", {"merge": True, "conflict": "replace"}, True),
        ("always", {}, True),
        ("always", {"dry_run": True}, False),
    ],
)
def test_who_is_asked_when(approval, params, asked):
    assert asks(RestoreSettings(approval=approval), restore_task(context(**params))) is asked


def test_only_another_persons_yes_counts():
    assert objection(YES, "Ann") is None
    assert objection(YES, None) is None
    assert "another person" in objection(YES, "bob")
    assert "another person" in objection(YES, "2")
    assert "did not agree" in objection({**YES, "chosen_options": ["Reject"]}, "Ann")


def approve(**settings):
    return ApproveRestoreOperator(task_id="approve", subject="?", allowed={"approval": "always", **settings})


def told(who="Ann", **params):
    found = context(**params)
    found["dag_run"].triggering_user_name = who
    return found


def test_nobody_is_asked_for_a_dry_run_or_for_what_is_refused():
    assert approve().execute(told(dry_run=True)) == NOT_ASKED
    with pytest.raises(PermanentTaskProblem, match=r"restore\.places"):
        approve().execute(told(to="user/bob@example.com"))


def test_the_question_says_who_wants_what_where(asked):
    approve(places=["*"]).execute(told(to="user/bob@example.com", paths=["/Reports/"], merge=True, conflict="replace"))
    for said in ("Ann", ANN, "user/bob@example.com", "/Reports/", "replace", "latest"):
        assert said in asked[0]


def test_the_question_speaks_of_what_is_really_done_and_of_what_was_written(store, asked):
    know(store, Person(name="ann@example.com", address="ann@partner.example", former=("ann@example.com",)))
    approve().execute(told())
    first, second = asked[0].split("\n\n")[:2]
    assert "to `user/ann@partner.example`, acting as `ann@partner.example`" in first
    assert second == "The form says: `user/ann@example.com` to `user/ann@example.com`"


def test_what_goes_back_by_an_address_of_now_goes_back_and_asks_nobody(store):
    know(store, Person(name="ann@example.com", address="anne@example.com", former=("ann@example.com",)))
    for params in ({}, {"to": "user/anne@example.com"}, {"source": "user/anne@example.com"}):
        assert approve(approval="elsewhere").execute(told(**params)) == NOT_ASKED


@pytest.mark.parametrize("to", ["", f"user/{BOB}", f"user/{BOB}~2"])
def test_whose_address_another_person_has_is_never_restored_to_that_person_unasked(store, asked, to):
    know(store, Person(name=BOB, former=(BOB,), permission_id="p1"), Person(name=f"{BOB}~2", address=BOB))
    said = r"restore\.places" if "~" in to else "No address is known"
    with pytest.raises(PermanentTaskProblem, match=said):
        approve(approval="elsewhere").execute(told(source=f"user/{BOB}", to=to))
    with pytest.raises(ConfigError, match=said):
        asyncio.run(PlanRestoreOperator(task_id="a").run(context(source=f"user/{BOB}", to=to), None))
    if "~" in to:
        approve(approval="elsewhere", places=["user/*"]).execute(told(source=f"user/{BOB}", to=to))
        assert f"to `user/{BOB}`" in asked[0]


@pytest.mark.parametrize("person", ["p1", "p2", None])
async def test_who_has_got_the_address_since_the_last_backup_gets_nothing(store, person):
    ann = Person(name="ann@example.com", address="ann@example.com", permission_id="p1")
    await write_people(store, 0, People([ann]), "run", FakeClock())
    task, _ = await of_person(store, restore_task(context()))
    drive = FakeDrive()
    drive.person = person
    if person == "p2":
        with pytest.raises(SourceNotFoundError, match="Nothing was restored"):
            await check_person(drive, task.subject, task.person)
    else:
        await check_person(drive, task.subject, task.person)


@pytest.mark.parametrize(
    ("who", "answer", "said"),
    [("Bob", YES, "another person"), ("Ann", {**YES, "chosen_options": ["Reject"]}, "did not agree")],
)
def test_who_triggered_it_cannot_agree_and_a_no_is_a_no(who, answer, said):
    event = {**answer, "params_input": {}, "responded_at": None}
    with pytest.raises(PermanentTaskProblem, match=said):
        approve().execute_complete(told(who), event)


@pytest.mark.parametrize("answer", [None, NOT_ASKED, {**YES, "chosen_options": ["Reject"]}])
async def test_without_a_yes_nothing_is_planned(answer):
    plan = PlanRestoreOperator(task_id="a", allowed={"approval": "always"}, answer=answer)
    with pytest.raises(ApprovalNeededError):
        await plan.run(context(), None)


def test_the_dag_asks_before_it_plans_only_where_the_config_says_so(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    from tests.dags.test_dags import ROOT

    config = tmp_path / "drive_backup.yaml"
    found = []
    for text in ("restore: {approval: always}\n", ""):
        config.write_text(f"{text}jobs: {{default: {{}}}}\n")
        monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(config))
        bag = DagBag(dag_folder=str(ROOT / "dags" / "google_drive_restore.py"), bundle_name="dags-folder")
        assert bag.import_errors == {}
        found.append(bag.dags["google_drive_restore"].get_task("plan_restore").upstream_task_ids)
    assert found == [{"approve"}, set()]
