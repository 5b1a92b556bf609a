"""Callbacks with the contexts that Airflow 3.3.2 really gives; they never raise and never take long."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, BaseNotifier, BaseOperator
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.log import mask_secret
from airflow.serialization.serialized_objects import DagSerialization
from azure.storage.blob import ContainerClient

from drive_backup_airflow import events, notifier, wiring
from drive_backup_airflow.events import emit_facts, emit_for_task_states
from drive_backup_airflow.facts import fact_of, failed_tasks
from drive_backup_airflow.notifier import DriveBackupNotifier, run_all
from drive_backup_airflow.retry import task_problem
from include.drive_backup.errors import CredentialsError, ServiceUnavailableError, StoppedError
from include.drive_backup.events.envelope import Event, Fact, event_id
from include.drive_backup.settings import Config
from tests.core.events.support import RecordingSink
from tests.support.hub import received
from tests.support.memory_blob import MemoryBlobStore


class Copy(BaseOperator):
    def execute(self, context):
        return None


@pytest.fixture
def task():
    with DAG("backup", schedule=None):
        return Copy(task_id="copy_batch", retries=2)


def task_instance(task, *, map_index=3, try_number=2, server=True, **fields) -> RuntimeTaskInstance:
    """Built as the DAG processor builds them: unchecked, with what the request happened to have."""
    run = DagRun.model_construct(
        dag_id="backup",
        run_id="run 1",
        clear_number=1,
        logical_date=None,
        run_after=datetime(2026, 11, 23, tzinfo=UTC),
        data_interval_start=None,
        data_interval_end=None,
        conf={},
        consumed_asset_events=[],
        partition_key=None,
        partition_date=None,
    )
    known = {"_ti_context_from_server": TIRunContext.model_construct(dag_run=run, max_tries=2)} if server else {}
    return RuntimeTaskInstance.model_construct(
        id="00000000-0000-0000-0000-000000000001",
        task_id=task.task_id,
        dag_id="backup",
        run_id="run 1",
        map_index=map_index,
        try_number=try_number,
        task=task,
        **known,
        **fields,
    )


def context_of(task, **fields) -> dict:
    return task_instance(task).get_template_context() | fields


class Hub:
    """Stands for both connections: a sink and a container in memory."""

    def __init__(self, monkeypatch) -> None:
        self.sink = RecordingSink()
        self.events: list[Event] = []
        self.store = MemoryBlobStore()
        send = self.sink.send

        async def record(sent):
            await send(sent)
            self.events += sent

        self.sink.send = record

        @asynccontextmanager
        async def open_store(conn_id, container):
            yield self.store

        monkeypatch.setattr(events, "_sink", lambda conn_id: self.sink)
        monkeypatch.setattr(wiring, "open_store", open_store)


@pytest.fixture
def hub(monkeypatch) -> Hub:
    return Hub(monkeypatch)


def test_a_failed_task_is_told_with_its_error_and_its_log(hub, task):
    DriveBackupNotifier("task.failed")(context_of(task, exception=OSError("disk on fire")))
    (event,) = hub.events
    assert event.subject == "run 1/copy_batch[3]"
    assert event.data.error_class == "OSError"
    assert event.data.message == "Task copy_batch[3] of run run 1 has failed for good. disk on fire"
    assert event.data.log_url.endswith("/dags/backup/runs/run%201/tasks/copy_batch/mapped/3?try_number=2")
    assert (event.data.severity, event.data.clear_number, event.data.try_number) == ("error", 1, 2)


def test_an_expected_problem_keeps_its_class_and_reason(hub, task):
    """Operators wrap their errors for Airflow; the consumer wants to know what it was."""
    problem = task_problem(CredentialsError("The key is gone.", reason="accessDenied"))
    DriveBackupNotifier("task.retried")(context_of(task, exception=problem))
    assert (hub.events[0].data.error_class, hub.events[0].data.error_reason) == ("CredentialsError", "accessDenied")


def test_after_sigkill_there_is_no_exception_and_the_event_comes_all_the_same(hub, task):
    """As the DAG processor calls it; with the worker gone it calls twice, and both are one event."""
    for _ in range(2):
        DriveBackupNotifier("task.retried")(task_instance(task, server=False).get_template_context())
    assert len({event.id for event in hub.events}) == 1
    assert hub.events[0].data.error_class is None


def test_a_dag_callback_with_the_least_that_airflow_gives(hub):
    """`_execute_dag_callbacks` without a last task instance: three keys."""
    DriveBackupNotifier("run.failed")({"dag": DAG("backup", schedule=None), "run_id": "run 1", "reason": "timed_out"})
    (event,) = hub.events
    assert event.source == "/airflow/backup"
    assert event.data.message.startswith("Run run 1 of backup has failed. It took longer than limits.run_timeout_hours")
    assert (event.data.severity, event.data.task_id) == ("critical", None)
    assert event.data.error_reason == "timed_out"


@pytest.mark.parametrize(
    ("state", "told"),
    [("failed", 0), ("skipped", 0), ("running", 1), ("up_for_retry", 1), (None, 1), (OSError("no answer"), 1)],
)
def test_a_retry_is_told_only_if_there_will_be_one(hub, task, monkeypatch, state, told):
    """A task whose state is set by hand is stopped, and calls its retry callback as if it were tried again."""

    def states(dag_id, task_ids, run_ids):
        if isinstance(state, Exception):
            raise state
        return {"run 1": {"copy_batch_3": state}}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(states))
    stopped = task_problem(StoppedError("The task was asked to stop."))
    DriveBackupNotifier("task.retried")(context_of(task, exception=stopped))
    assert len(hub.events) == told


def test_a_dag_callback_with_a_last_task_is_about_the_run(hub, task):
    DriveBackupNotifier("run.failed")(context_of(task, reason="task_failure"))
    (event,) = hub.events
    assert (event.subject, event.data.task_id) == ("run 1", None)
    assert event.data.log_url


@pytest.mark.parametrize(
    "context", [{}, {"ti": object()}, {"ti": SimpleNamespace(dag_id=1, log_url=None)}, {"dag": None}]
)
@pytest.mark.parametrize("kind", ["run.failed", "task.failed", "batch.copied"])
def test_whatever_is_missing_an_event_comes(hub, kind, context):
    DriveBackupNotifier(kind)(context)
    assert len(hub.events) == 1


def test_a_context_that_explodes_does_not_reach_airflow(hub, caplog):
    class Exploding(dict):
        def get(self, *_):
            raise RuntimeError("boom")

    DriveBackupNotifier("run.failed")(Exploding())
    assert "boom" in caplog.text


def test_numbers_of_the_result_travel_along(hub, task, monkeypatch):
    result = {"files": 7, "counts": {"copied": 6, "failed": 1}, "label": "x", "done": True}
    monkeypatch.setattr(RuntimeTaskInstance, "xcom_pull", lambda self, **kwargs: result)
    DriveBackupNotifier("batch.copied")(context_of(task))
    assert hub.events[0].data.counts == {"files": 7, "copied": 6, "failed": 1}


def test_secrets_that_airflow_knows_do_not_leave_the_house(hub, task):
    mask_secret("s3cr3t-of-the-vault")
    DriveBackupNotifier("task.failed")(context_of(task, exception=OSError("bad key s3cr3t-of-the-vault")))
    assert "s3cr3t" not in hub.events[0].to_json().decode()


def test_a_dead_hub_keeps_the_event_and_a_live_one_gets_it(hub, task):
    hub.sink.up = False
    DriveBackupNotifier("task.failed")(context_of(task))
    assert len([name for name in hub.store.blobs if name.startswith("outbox/")]) == 1
    hub.sink.up = True
    DriveBackupNotifier("run.failed")(context_of(task))
    assert [event.type.rpartition(".")[2] for event in hub.events] == ["failed", "failed"]
    assert hub.events[0].subject == "run 1/copy_batch[3]"
    assert not [name for name in hub.store.blobs if name.startswith("outbox/")]


def test_without_a_hub_nothing_is_sent_or_kept(hub, task, tmp_path):
    DriveBackupNotifier("task.failed", event_hubs_conn_id=None)(context_of(task))
    assert not hub.events
    assert not hub.store.blobs
    assert not (tmp_path / "airflow").exists()


def test_connections_that_are_defined_nowhere_cost_no_event(task, tmp_path, caplog):
    """The first night of a deployment whose vault is empty: nothing to send with, nothing to keep in."""
    DriveBackupNotifier("task.failed", event_hubs_conn_id="nothing", blob_conn_id="nothing_either")(context_of(task))
    assert len(list((tmp_path / "airflow" / "drive_backup_outbox" / "outbox").glob("*.json"))) == 1
    assert "'nothing' is not defined" in caplog.text


def test_a_hanging_look_up_is_left_behind_and_the_event_kept(hub, task, monkeypatch, tmp_path):
    monkeypatch.setattr(notifier, "LIMIT", 0.2)
    monkeypatch.setattr(events, "_sink", lambda conn_id: time.sleep(5))
    started = time.monotonic()
    DriveBackupNotifier("task.failed")(context_of(task))
    assert time.monotonic() - started < 1
    assert len(list((tmp_path / "airflow" / "drive_backup_outbox" / "outbox").glob("*.json"))) == 1


CALLS: list = []


class Further(BaseNotifier):
    def __init__(self, *, channel: str, fail: bool = False, hang: float = 0) -> None:
        super().__init__()
        self.channel, self.fail, self.hang = channel, fail, hang

    def notify(self, context) -> None:
        time.sleep(self.hang)
        if self.fail:
            raise RuntimeError("the chat is down")
        CALLS.append((self.channel, context["run_id"]))


def further(**kwargs) -> dict:
    return {"class": f"{__name__}.Further", "kwargs": kwargs}


def test_further_notifiers_are_called_and_do_not_disturb_one_another(hub, task, monkeypatch, caplog):
    CALLS.clear()
    monkeypatch.setattr(notifier, "LIMIT", 1.0)
    chain = [
        further(channel="a", fail=True),
        further(channel="b", hang=9),
        {"class": "no.such.Class"},
        further(channel="c"),
    ]
    started = time.monotonic()
    DriveBackupNotifier("run.failed", notifiers=chain)(context_of(task))
    assert time.monotonic() - started < 2
    assert CALLS == [("c", "run 1")]
    assert len(hub.events) == 1
    for trouble in ("the chat is down", "left behind", "no.such"):
        assert trouble in caplog.text


def test_a_class_that_is_no_notifier_is_named(hub, task, caplog):
    DriveBackupNotifier("run.failed", notifiers=[{"class": "collections.OrderedDict"}])(context_of(task))
    assert "collections.OrderedDict is no notifier" in caplog.text


def test_the_config_file_decides():
    config = Config.model_validate(
        {
            "connections": {"events": "hub", "blob": "store"},
            "storage": {"container": "saved-here"},
            "notifiers": [{"class": "a.B", "kwargs": {"x": 1}}],
        }
    )
    make = DriveBackupNotifier.factory(config)
    alert, news = make("run.failed"), make("run.succeeded")
    assert (alert.event_hubs_conn_id, alert.blob_conn_id, alert.container) == ("hub", "store", "saved-here")
    assert alert.notifiers == [{"class": "a.B", "kwargs": {"x": 1}}]
    assert news.notifiers == []


def test_it_pickles_and_a_dag_that_carries_it_serializes():
    notify = DriveBackupNotifier("task.failed", notifiers=[further(channel="a")])
    assert vars(pickle.loads(pickle.dumps(notify))) == vars(notify)
    with DAG("backup", schedule=None, on_failure_callback=notify) as dag:
        Copy(task_id="copy", on_failure_callback=notify, on_execute_callback=notify)
    DagSerialization.to_dict(dag)


async def test_deadline_alerts_await_it(hub):
    await DriveBackupNotifier("run.failed").async_notify({"run_id": "run 1"})
    assert len(hub.events) == 1


class Mail(BaseNotifier):
    """Takes what mails and chats take, as templates."""

    template_fields = ("subject", "html_content", "text")

    def __init__(self, to: str, subject: str, html_content: str, text: str = "") -> None:
        super().__init__()
        self.to, self.subject, self.html_content, self.text = to, subject, html_content, text

    def notify(self, context) -> None:
        CALLS.append((self.to, self.subject, self.html_content, self.text))


MAIL = [{"class": f"{__name__}.Mail", "kwargs": {"to": "oncall@example.com"}}]


def failed_run(task, problems, notifiers=MAIL):
    """What Airflow calls for a run of which some tasks fail."""
    CALLS.clear()
    for index, problem in enumerate(problems):
        context = task_instance(task, map_index=index).get_template_context() | {
            "exception": problem if isinstance(problem, OSError) else task_problem(problem)
        }
        DriveBackupNotifier("task.failed", notifiers=notifiers)(context)
    DriveBackupNotifier("run.failed", notifiers=notifiers)(context_of(task, reason="task_failure"))


def test_a_failed_run_is_one_mail_that_names_dag_run_source_reason_and_remedy(hub, task):
    failed_run(task, [CredentialsError("user/ann@example.com: the key is gone. Put a new one into the vault.")])
    [(to, subject, html, text)] = CALLS
    assert (to, subject) == ("oncall@example.com", "Drive Backup: backup failed")
    assert "Run run 1 of backup has failed." in text
    assert "copy_batch[0]: user/ann@example.com: the key is gone. Put a new one into the vault." in text
    assert "Log: http" in text
    assert html == text.replace("\n", "<br>\n").replace("&", "&amp;")
    alert = next(event for event in hub.events if event.type.endswith("run.failed"))
    assert alert.data.message == text


def test_the_first_problem_comes_first_and_of_many_the_rest_is_counted(hub, task):
    failed_run(task, [OSError(f"problem {n}") for n in range(8)])
    [(_, _, _, text)] = CALLS
    assert text.index("problem 0") < text.index("problem 4")
    assert "problem 5" not in text
    assert "3 more failed tasks" in text


def test_what_a_mail_says_is_never_a_template_and_never_html(hub, task):
    failed_run(task, [OSError("{{ 7 * 7 }} <script>alert(1)</script>")])
    [(_, _, html, text)] = CALLS
    assert "{{ 7 * 7 }} <script>" in text
    assert "<script>" not in html


def test_what_the_config_says_for_a_notifier_is_kept(hub, task):
    own = [{"class": f"{__name__}.Mail", "kwargs": {"to": "x", "subject": "{{ dag.dag_id }}!"}}]
    failed_run(task, [OSError("disk on fire")], own)
    [(_, subject, _, text)] = CALLS
    assert (subject, "disk on fire" in text) == ("backup!", True)


def test_after_the_run_was_cleared_only_its_new_problems_are_told(hub, task):
    failed_run(task, [OSError("before")])
    ti = task_instance(task)
    ti._ti_context_from_server.dag_run.clear_number = 2
    context = ti.get_template_context()
    DriveBackupNotifier("task.failed")(context | {"exception": OSError("after")})
    CALLS.clear()
    DriveBackupNotifier("run.failed", notifiers=MAIL)(context | {"reason": "task_failure"})
    [(_, _, _, text)] = CALLS
    assert ("before" in text, "after" in text) == (False, True)


def test_a_container_that_is_down_costs_the_reasons_and_not_the_mail(hub, task, monkeypatch):
    monkeypatch.setattr(notifier, "_READING", 0.5)

    async def hang(*_):
        await asyncio.sleep(9)

    monkeypatch.setattr(hub.store, "put", hang)
    monkeypatch.setattr(hub.store, "list", lambda *_, **__: (_ for _ in ()).throw(ServiceUnavailableError("down")))
    monkeypatch.setattr(notifier, "LIMIT", 1.5)
    failed_run(task, [OSError("lost")])
    [(_, subject, _, text)] = CALLS
    assert subject == "Drive Backup: backup failed"
    assert "Run run 1 of backup has failed." in text


def test_a_question_to_a_person_is_a_mail_too(hub, task):
    CALLS.clear()
    DriveBackupNotifier("approval.needed", notifiers=MAIL)(context_of(task))
    [(_, subject, _, text)] = CALLS
    assert subject == "Drive Backup: backup waits for an approval"
    assert "Required Actions" in text


def test_airflows_own_mail_notifier_takes_it(hub, task, monkeypatch):
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    sent = []
    monkeypatch.setattr(SmtpNotifier, "notify", lambda self, context: sent.append((self.subject, self.html_content)))
    path = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    mail = [{"class": path, "kwargs": {"from_email": "airflow@example.com", "to": "oncall@example.com"}}]
    failed_run(task, [OSError("disk on fire")], mail)
    assert [subject for subject, _ in sent] == ["Drive Backup: backup failed"]
    assert "disk on fire" in sent[0][1]


ENDED = [
    {"task_id": "list_source", "map_index": 0, "state": "success", "operator": "X", "duration": 1.0},
    {"task_id": "copy_batch", "map_index": 3, "state": "failed", "operator": "X", "duration": 1.0},
    {"task_id": "plan", "map_index": -1, "state": "failed", "operator": "X", "duration": 1.0},
    {"task_id": "commit", "map_index": -1, "state": "upstream_failed", "operator": "X", "duration": 1.0},
    {"task_id": "other", "map_index": -1, "state": "skipped", "operator": "X", "duration": 1.0},
]


def test_the_reporter_tells_what_the_callback_would_have_told(task):
    """SIGKILL on the last try: no callback. With a callback: the same id, so nobody hears it twice."""
    context = context_of(task, exception=OSError("x"))
    told = failed_tasks(context, ENDED)
    assert [fact.task_id for fact in told] == ["copy_batch", "plan"]
    assert event_id(told[0]) == event_id(fact_of("task.failed", context))
    assert told[0].log_url.endswith("/dags/backup/runs/run%201/tasks/copy_batch/mapped/3")
    assert told[1].log_url.endswith("/tasks/plan")


async def test_the_reporter_sends_them(hub, task, monkeypatch):
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_breadcrumbs", staticmethod(lambda dag_id, run_id: iter(ENDED)))
    ids = {"event_hubs_conn_id": "hub", "blob_conn_id": "blob", "container": "drive-backup"}
    assert await emit_for_task_states(context_of(task), **ids) == "sent"
    assert [event.subject for event in hub.events] == ["run 1/copy_batch[3]", "run 1/plan"]


async def test_an_airflow_that_does_not_answer_does_not_fail_the_reporter(hub, task):
    ids = {"event_hubs_conn_id": "hub", "blob_conn_id": "blob", "container": "drive-backup"}
    assert await emit_for_task_states(context_of(task), **ids) == "sent"
    assert not hub.events


async def test_facts_of_operators(hub, monkeypatch):
    fact = Fact(kind="item.failed", dag_id="backup", run_id="run 1", object="file-id")
    ids = {"blob_conn_id": "blob", "container": "drive-backup"}
    assert await emit_facts([fact], event_hubs_conn_id=None, **ids) is None
    monkeypatch.setenv("DRIVE_BACKUP_EVENT_ORIGIN", "/airflow/berlin")
    assert await emit_facts([fact], event_hubs_conn_id="hub", **ids) == "sent"
    assert [(event.id, event.source) for event in hub.events] == [(event_id(fact), "/airflow/berlin/backup")]


@pytest.mark.integration
def test_through_real_connections_over_an_outage_of_the_hub(
    azurite, azurite_container, eventhubs_server, task, monkeypatch
):
    """Airflow's own look-up, the real SDKs, Azurite and an AMQP server; nobody is mocked."""
    text = eventhubs_server.info["connection_string"]
    for conn_id, conn_type, extra in (("hub", "azure_event_hubs", text), ("blob", "wasb", azurite)):
        value = {"conn_type": conn_type, "extra": {"connection_string": extra}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
    ids = {"event_hubs_conn_id": "hub", "blob_conn_id": "blob", "container": azurite_container}
    eventhubs_server.stop()
    DriveBackupNotifier("run.started", **ids)(context_of(task))
    with ContainerClient.from_connection_string(azurite, azurite_container) as container:
        assert [name.split("/")[0] for name in container.list_blob_names()] == ["outbox"]
        eventhubs_server.start()
        started = time.monotonic()
        DriveBackupNotifier("task.failed", **ids)(context_of(task, exception=OSError("disk on fire")))
        assert time.monotonic() - started < 6
        assert not list(container.list_blob_names(name_starts_with="outbox/"))
    arrived = asyncio.run(received(text, 2))
    assert [body["type"].removeprefix("dev.drivebackup.backup.") for _, body in arrived] == [
        "run.started",
        "task.failed",
    ]
    assert {key for key, _ in arrived} == {"run 1"}


def test_run_all_names_what_failed():
    def bad():
        raise ServiceUnavailableError("down", service="blob")

    assert run_all({"good": lambda: None, "bad": bad, "slow": lambda: time.sleep(3)}, 0.1) == ["bad", "slow"]


def test_the_schema_in_the_documentation_is_the_one_in_use():
    schema = json.loads(Path("include/schemas/event-v1.json").read_text())
    documented = Path("docs/events.md").read_text()
    for kind in schema["properties"]["type"]["enum"]:
        assert f"`{kind}`" in documented
    for field in schema["$defs"]["data"]["properties"]:
        assert f"`{field}`" in documented
