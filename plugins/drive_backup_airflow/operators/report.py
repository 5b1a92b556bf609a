"""Say what was saved, and fail the run when it is less than everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.events import emit_for_task_states
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.groups import SourceGroup
from include.drive_backup.ports import BlobStore
from include.drive_backup.report import readable, verdict
from include.drive_backup.results import RunResults, read_results

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportOperator(DriveBackupOperator):
    """Runs last, whatever happened. Its log is the report; its state is the run's.

    :param groups: dicts of :class:`~include.drive_backup.groups.SourceGroup`.
    :param plans: where the plans are in the work area; empty when there are none.
    :param fail_on_unavailable: fail the run also when Drive refused items for good.
    """

    template_fields = ("groups", "plans")

    def __init__(
        self,
        *,
        groups: Any,
        plans: Any,
        fail_on_unavailable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.plans = plans
        self.fail_on_unavailable = fail_on_unavailable

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Report; raises when the run is not complete."""
        async with open_store(self.blob_conn_id, self.container) as store:
            run = await self._results(store)
        plans = [plan.to_dict() for plan in run.plans]
        for line in readable(plans, run.summaries, run.missed).splitlines():
            self.log.info(line)
        await emit_for_task_states(context, **self.events)
        bad = bad_tasks(context)
        if bad:
            raise SnapshotIncompleteError(f"These tasks did not succeed: {', '.join(sorted(bad))}. See their logs.")
        verdict(plans, run.summaries, run.missed, fail_on_unavailable=self.fail_on_unavailable)
        return {"sources": len(run.summaries), "left_out": len(run.missed)}

    async def _results(self, store: BlobStore) -> RunResults:
        groups = [SourceGroup.from_dict(each) for each in self.groups or ()]
        return await read_results(store, groups, self.plans)


def bad_tasks(context: Context) -> dict[str, str]:
    """The run's tasks that ended badly, as ``task`` or ``task_<map index>`` → state, whatever told of them before."""
    ti: Any = context["ti"]
    states: dict[str, str] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[context["run_id"]])[context["run_id"]]
    return {task: state for task, state in states.items() if state in ("failed", "upstream_failed")}
