"""From Airflow's callback contexts to facts.

A context may lack nearly everything (read in Airflow 3.3.2): after SIGKILL there is no ``exception``; a DAG callback
without a last task has only ``dag``, ``run_id`` and ``reason`` (``dag_processing.processor._execute_dag_callbacks``);
task instances of the DAG processor are built without validation, so attributes may be missing altogether.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from include.drive_backup.errors import StoppedError
from include.drive_backup.events.envelope import Fact, Kind, Severity

log = logging.getLogger(__name__)

_SENTENCES: dict[Kind, str] = {
    "run.started": "Run {run} of {dag} has started.",
    "run.succeeded": "Run {run} of {dag} has succeeded.",
    "run.failed": "Run {run} of {dag} has failed.",
    "task.retried": "Task {task} of run {run} has failed on try {attempt} and will be tried again.",
    "task.failed": "Task {task} of run {run} has failed for good.",
    "batch.copied": "Task {task} of run {run} has copied its batch.",
    "snapshot.committed": "Task {task} of run {run} has committed a snapshot.",
    "approval.needed": "Task {task} of run {run} of {dag} waits for a person. Read in Airflow, under Required Actions, "
    "what would be done and why that is asked, and approve or reject it.",
    "item.failed": "Run {run} could not save an item.",
    "verify.damaged": "Run {run} found damage in the backup.",
}
_ENDED_BADLY = "failed"
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")

# Why a run failed, in Airflow's words (`models.dagrun`, `SchedulerJobRunner`) and in ours (`marked_failed`).
_REASONS = {
    "task_failure": "A task has failed; its own event and its log say why.",
    "all_tasks_deadlocked": "None of its remaining tasks can ever start.",
    "timed_out": "It took longer than limits.run_timeout_hours in the config allows, and its tasks were stopped. "
    "The next run copies what is missing.",
    "marked_failed": "Somebody marked it failed, and its tasks were stopped. The next run copies what is missing.",
}


def fact_of(kind: Kind, context: Mapping[str, Any], severity: Severity | None = None) -> Fact:
    """What a callback's context tells about an event of this kind."""
    ti = context.get("ti") or context.get("task_instance")
    of_task = ti is not None and not kind.startswith("run.")
    error = context.get("exception")
    return Fact(
        kind=kind,
        dag_id=_text(context.get("dag"), "dag_id") or _text(ti, "dag_id") or "unknown",
        run_id=str(context.get("run_id") or _text(ti, "run_id") or "unknown"),
        clear_number=clear_number(context),
        task_id=_text(ti, "task_id") if of_task else None,
        map_index=_number(ti, "map_index") if of_task else None,
        try_number=_number(ti, "try_number") if of_task else None,
        severity=severity,
        message=_message(kind, context, ti, error),
        log_url=_text(ti, "log_url"),
        error_class=None if error is None else _text(error, "error_class") or type(error).__name__,
        error_reason=_text(error, "reason") or (None if of_task else context.get("reason")),
        counts=_counts(ti) if kind in ("batch.copied", "snapshot.committed") else {},
    )


def failed_tasks(context: Mapping[str, Any], ended: Iterable[Mapping[str, Any]]) -> list[Fact]:
    """A fact for each task that ended badly, as the task's own callback would have told it.

    :param context: of the reporting task.
    :param ended: Airflow's breadcrumbs of the run: ``task_id``, ``map_index`` and ``state`` of each ended task.
    """
    ti = context["ti"]
    return [
        Fact(
            kind="task.failed",
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            clear_number=clear_number(context),
            task_id=task["task_id"],
            map_index=task["map_index"],
            message=f"{_sentence('task.failed', ti.run_id, ti.dag_id, task['task_id'], task['map_index'], None)} "
            "Its log in Airflow says why.",
            log_url=_log_url(ti, task["task_id"], task["map_index"]),
        )
        for task in ended
        if str(getattr(task["state"], "value", task["state"])) == _ENDED_BADLY
    ]


def ended_for_good(context: Mapping[str, Any]) -> bool:
    """Whether a task that was asked to stop has ended for good in Airflow's eyes.

    Its process believes that it will be tried again and calls the retry callback, although somebody has set its state
    by hand, or its run has timed out.
    """
    ti = context.get("ti")
    if _text(context.get("exception"), "reason") != StoppedError.default_reason or ti is None:
        return False
    key = f"{ti.task_id}_{ti.map_index}" if (_number(ti, "map_index") or 0) >= 0 else ti.task_id
    try:
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
    except Exception:
        log.exception("Airflow does not say how the task has ended, so its word that it will be tried again stands.")
        return False
    return states.get(ti.run_id, {}).get(key) in _ENDED


def _log_url(reporter: Any, task_id: str, map_index: int) -> str | None:
    """Where another task's log is: as the reporter's own, ``…/tasks/<task>[/mapped/<index>]``; the last try shows."""
    own = _text(reporter, "log_url")
    if own is None:
        return None
    return f"{own.rpartition('/tasks/')[0]}/tasks/{task_id}" + (f"/mapped/{map_index}" if map_index >= 0 else "")


def clear_number(context: Mapping[str, Any]) -> int:
    """How often the run was cleared; 0 when the context does not know."""
    return _number(context.get("dag_run"), "clear_number") or 0


def _message(kind: Kind, context: Mapping[str, Any], ti: Any, error: Any) -> str:
    from airflow.sdk._shared.secrets_masker import redact  # noqa: PLC0415 - only at the time of an event

    run, dag = context.get("run_id") or _text(ti, "run_id"), _text(context.get("dag"), "dag_id") or _text(ti, "dag_id")
    said = _sentence(kind, run, dag, _text(ti, "task_id"), _number(ti, "map_index"), _number(ti, "try_number"))
    why = error if error is not None else context.get("reason")
    if why is None or kind not in ("run.failed", "task.failed", "task.retried"):
        return said
    return f"{said} {redact(_REASONS.get(str(why), str(why)) or type(why).__name__)}"


def _sentence(kind: Kind, run: Any, dag: Any, task: Any, map_index: int | None, attempt: int | None) -> str:
    mapped = map_index is not None and map_index >= 0
    return _SENTENCES[kind].format(run=run, dag=dag, task=f"{task}[{map_index}]" if mapped else task, attempt=attempt)


def _counts(ti: Any) -> dict[str, int]:
    """The numbers in what the task returned: at its top, and under ``counts``."""
    try:
        result = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
    except Exception:  # noqa: BLE001 - an event without numbers is better than none
        return {}
    if not isinstance(result, dict):
        return {}
    nested = result.get("counts")
    numbers = result | nested if isinstance(nested, dict) else result
    return {str(name): value for name, value in numbers.items() if type(value) is int}


def _text(owner: Any, name: str) -> str | None:
    value = _get(owner, name)
    return value if isinstance(value, str) and value else None


def _number(owner: Any, name: str) -> int | None:
    value = _get(owner, name)
    return value if isinstance(value, int) else None


def _get(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - half-built task instances raise all kinds from their properties
        return None
