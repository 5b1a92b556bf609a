"""From our errors to Airflow's retries: one place decides what is tried again.

An expected problem leaves a task as a ``SystemExit`` that carries its sentence: Airflow 3.3 logs that as one line
(``Task exited``), while any other exception is logged with a traceback, which belongs to bugs (see
``task_runner._run_task_and_map_outcome``). docs/adr/0002 has the reasons.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.drive_backup.errors import DriveBackupError, PermanentError


class TaskProblem(SystemExit):
    """An expected problem on its way out of a task.

    :param error: the problem; ``error_class`` and ``reason`` are read by the notifier.
    """

    def __init__(self, error: DriveBackupError) -> None:
        super().__init__(str(error))
        self.error_class = type(error).__name__
        self.reason = error.reason


class PermanentTaskProblem(TaskProblem):
    """Trying again cannot help."""


class TransientTaskProblem(TaskProblem):
    """The next try may succeed."""


RETRY_POLICY = ExceptionRetryPolicy(
    [
        RetryRule(
            PermanentTaskProblem,
            action=RetryAction.FAIL,
            reason="trying again cannot help; see the sentence above",
        ),
    ]
)


def task_problem(error: DriveBackupError) -> TaskProblem:
    """Wrap an error for Airflow."""
    return (PermanentTaskProblem if isinstance(error, PermanentError) else TransientTaskProblem)(error)


def is_first_try(ti: Any, retries: int) -> bool:
    """Whether a task begins, for the first time or because a person cleared it, and was not retried by Airflow.

    When a person clears a task, Airflow goes on counting its tries and grants it as many retries as at first.
    """
    return bool(ti.try_number == ti.max_tries - retries + 1)
