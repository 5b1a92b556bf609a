"""Say what was saved, and fail the run when it is less than everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.events import emit_for_task_states
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import selected_by
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import StoreClock
from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.groups import SourceGroup
from include.drive_backup.model import DEFAULT_SERIES, counted
from include.drive_backup.ports import BlobStore
from include.drive_backup.report import readable, verdict
from include.drive_backup.results import RunResults, read_results
from include.drive_backup.stopped import Stopped, find_stopped, record_stopped
from include.drive_backup.verification.last import unverified, unverified_text

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportOperator(DriveBackupOperator):
    """Runs last, whatever happened. Its log is the report; its state is the run's.

    :param groups: dicts of :class:`~include.drive_backup.groups.SourceGroup`.
    :param plans: where the plans are in the work area; empty when there are none.
    :param job: the name of the job.
    :param own_params: the values of the trigger form as the job's settings give them.
    :param fail_on_unavailable: fail the run also when Drive refused items for good.
    """

    template_fields = ("groups", "plans")

    def __init__(
        self,
        *,
        groups: Any,
        plans: Any,
        job: str = DEFAULT_SERIES,
        own_params: dict[str, Any] | None = None,
        fail_on_unavailable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.plans = plans
        self.job = job
        self.own_params = own_params
        self.fail_on_unavailable = fail_on_unavailable

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Report; raises when the run is not complete."""
        async with open_store(self.blob_conn_id, self.container) as store:
            run = await self._results(store)
            new, known = await self._stopped(context, store, run)
            plans = [plan.to_dict() for plan in run.plans]
            for line in readable(plans, run.summaries, run.missed, [*new, *known]).split("\n"):
                self.log.info(line)
            await record_stopped(store, new)
            # A source's first snapshot is verified after this.
            known_ones = [summary["source"] for summary in run.summaries if summary["base"] is not None]
            if late := unverified_text(await unverified(store, known_ones, await store.now())):
                self.log.warning(late)
        await emit_for_task_states(context, **self.events)
        bad = bad_tasks(context)
        if bad:
            # The next run does not fail for a source that stopped, so this one has to say it in any case.
            alarming = [str(each) for each in new if not each.left]
            said = [f"{failed_text(bad)} See their logs.", *alarming]
            raise SnapshotIncompleteError(" ".join(said))
        verdict(plans, run.summaries, run.missed, fail_on_unavailable=self.fail_on_unavailable, stopped=new)
        return {"sources": len(run.summaries), "left_out": len(run.missed)}

    async def _stopped(
        self, context: Context, store: BlobStore, run: RunResults
    ) -> tuple[list[Stopped], list[Stopped]]:
        """Sources that are not backed up any more; a run that selects by hand, or did not get so far, tells nothing."""
        params: dict[str, Any] = dict(context["params"])
        by_hand = self.own_params is None or selected_by(params) != selected_by(self.own_params)
        if by_hand or params["dry_run"] or not self.groups:
            return [], []
        left_out = [row for row in run.missed if row.outcome == "left_out"]
        clock = await StoreClock.of(store)
        return await find_stopped(store, self.job, str(context["run_id"]), run.attempted, left_out, clock)

    async def _results(self, store: BlobStore) -> RunResults:
        groups = [SourceGroup.from_dict(each) for each in self.groups or ()]
        return await read_results(store, groups, self.plans)


def bad_tasks(context: Context) -> dict[str, str]:
    """The run's tasks that ended badly, as ``task`` or ``task_<map index>`` → state, whatever told of them before."""
    ti: Any = context["ti"]
    states: dict[str, str] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[context["run_id"]])[context["run_id"]]
    return {task: state for task, state in states.items() if state in ("failed", "upstream_failed")}


def failed_text(bad: Mapping[str, str]) -> str:
    """Which tasks failed, and how many could not begin because of that."""
    causes = sorted(task for task, state in bad.items() if state == "failed")
    waiting = len(bad) - len(causes)
    more = f" {counted(waiting, 'task')} after them could not begin." if waiting else ""
    return f"These tasks failed: {', '.join(causes) or 'none'}.{more}"
