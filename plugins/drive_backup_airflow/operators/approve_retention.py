"""Ask a person, when a plan would delete much or the newest snapshots look suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from drive_backup_airflow.operators.plan_retention import QUESTION

if TYPE_CHECKING:
    from airflow.sdk import Context

PLAN_TASK = "plan_retention"


class ApproveRetentionOperator(ApprovalOperator):
    """Waits for a person without taking a worker's slot; succeeds at once when nobody has to be asked.

    A "Reject" skips the deletion; no answer in time fails the task.
    """

    def execute(self, context: Context) -> Any:
        """Ask, if there is a question."""
        question = context["ti"].xcom_pull(task_ids=PLAN_TASK, key=QUESTION)
        if question is None:
            self.log.info("Nobody has to be asked.")
            return None
        self.body = question
        return super().execute(context)


def was_approved(answer: Any) -> bool:
    """Whether a person said yes."""
    return isinstance(answer, dict) and answer.get("chosen_options") == [ApprovalOperator.APPROVE]
