"""Say what retention would delete, and why the rest stays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import refuse_unknown
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import DriveBackupError, PermanentError
from include.drive_backup.journal import raise_together
from include.drive_backup.model import counted
from include.drive_backup.retention.brake import RULES
from include.drive_backup.retention.plan import SourcePlan
from include.drive_backup.retention.readable import plan_text, question_text
from include.drive_backup.retention.run import plan_all, write_plans
from include.drive_backup.retention.settings import RetentionSettings

if TYPE_CHECKING:
    from airflow.sdk import Context

#: XCom key of what a person has to agree to; not there when nobody has to.
QUESTION = "question"
#: XCom key: who agrees to the question has seen what the rules delete in all sources.
RULES_SHOWN = "rules_shown"
#: Characters of a question: it is read in a browser, and goes through Airflow's database.
_MOST = 50_000


class PlanRetentionOperator(DriveBackupOperator):
    """Plans all sources of the container. Its log is the plan.

    :param retention: a dict of :class:`~include.drive_backup.retention.settings.RetentionSettings`.
    :param max_groups: tasks that apply it, at most.
    """

    def __init__(self, *, retention: dict[str, Any], max_groups: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retention = retention
        self.max_groups = max_groups

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Plan; returns the groups of what is to be deleted: none in a dry run.

        A source that cannot be planned is in a group, too: its task fails when the others of the group are done.

        :raises PermanentError: it is a dry run, and a source cannot be planned.
        """
        params: dict[str, Any] = dict(context["params"])
        refuse_unknown(context)
        async with open_store(self.blob_conn_id, self.container) as store:
            plans = await plan_all(store, RetentionSettings.model_validate(self.retention), params["sources"] or ())
            for line in plan_text(plans).split("\n"):
                self.log.info(line)
            if is_dry_run(context):
                self.log.info("Dry run: nothing is deleted or moved. Trigger it again with dry_run off to do it.")
                failures = [_failure(plan) for plan in plans if plan.failed]
                raise_together(failures, "Several sources cannot be planned")
                return []
            question, plans = ask(plans)
            if question is not None:
                context["ti"].xcom_push(key=QUESTION, value=question)
                context["ti"].xcom_push(key=RULES_SHOWN, value=not params["sources"] and shows_rules(plans))
            # A source of which nothing goes is visited all the same: old runs may have left something.
            groups = await write_plans(store, context["run_id"], plans, max_groups=self.max_groups)
        return [group.to_dict() for group in groups]


def is_dry_run(context: Context) -> bool:
    """A scheduled run deletes; any other one only when its params say so."""
    run: Any = context["dag_run"]
    return run.run_type != "scheduled" and bool(context["params"]["dry_run"])


def _failure(plan: SourcePlan) -> DriveBackupError:
    return PermanentError(f"{plan.source} cannot be planned: {plan.failed}")


def shows_rules(plans: Sequence[SourcePlan]) -> bool:
    """Whether the question shows everything that rules delete which nobody has approved yet."""
    return all(plan.shown for plan in plans if plan.brakes or plan.failed) and any(
        brake.kind == RULES for plan in plans for brake in plan.brakes
    )


def ask(plans: Sequence[SourcePlan]) -> tuple[str | None, list[SourcePlan]]:
    """What a person has to agree to, if there is anything, and the plans: marked, when the question has all of them."""
    said, asked, length = list[str](), set[str](), 0
    braked = [plan for plan in plans if plan.brakes]
    for plan in braked:
        text = question_text(plan)
        length += len(text)
        if length <= _MOST or not said:
            said.append(text)
            asked.add(plan.source)
    if len(said) < len(braked):
        left = counted(len(braked) - len(said), "more source")
        said.append(f"… and {left} for which there is no room here. An approval does not cover them.")
    question = "```\n" + "\n\n".join(said) + "\n```" if said else None
    return question, [replace(plan, shown=plan.source in asked) for plan in plans]
