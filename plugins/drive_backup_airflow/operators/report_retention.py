"""Say what retention has deleted, and fail the run when it could not do its work."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.events import emit_for_task_states
from drive_backup_airflow.operators.approve_retention import PLAN_TASK, was_approved
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.plan_retention import RULES_SHOWN, is_dry_run
from drive_backup_airflow.operators.report import bad_tasks, failed_text
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import PermanentError
from include.drive_backup.model import counted, human_bytes
from include.drive_backup.retention.approval import note_approved
from include.drive_backup.retention.leftovers import clean_shared
from include.drive_backup.retention.settings import RetentionSettings

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportRetentionOperator(DriveBackupOperator):
    """Runs last, whatever happened.

    :param done: what the tasks that delete returned.
    :param retention: a dict of :class:`~include.drive_backup.retention.settings.RetentionSettings`.
    :param approval: id of the task that asks. A rejection skips what it is upstream of, and this must run.
    """

    template_fields = ("done",)

    def __init__(self, *, done: Any, retention: dict[str, Any], approval: str = "approve", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.done = done
        self.retention = retention
        self.approval = approval

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, int]:  # noqa: ARG002
        """Report; raises when a task failed, or content could not be judged."""
        settings = RetentionSettings.model_validate(self.retention)
        sums: Counter[str] = Counter()
        for each in self.done or ():
            sums.update(each)
        if not is_dry_run(context):
            async with open_store(self.blob_conn_id, self.container) as store:
                left = await clean_shared(store, settings.leftover_days)
            sums.update(blobs=left.blobs, bytes=left.bytes)
        said = f"{counted(sums['snapshots'], 'snapshot')} of {counted(sums['sources'], 'source')} deleted"
        self.log.info("%s, %s in %s.", said, human_bytes(sums["bytes"]), counted(sums["blobs"], "blob"))
        if sums["moved"]:
            self.log.info("%s moved to cooler tiers.", counted(sums["moved"], "blob"))
        if sums["refused"]:
            self.log.warning("Blob Storage kept %s; the logs of apply_retention say why.", sums["refused"])
        if sums["unmoved"]:
            self.log.warning("Blob Storage did not move %s; the logs of apply_retention say why.", sums["unmoved"])
        await emit_for_task_states(context, **self.events)
        bad = bad_tasks(context)
        if bad:
            raise PermanentError(f"{failed_text(bad)} See their logs.")
        # Who has seen all that the rules delete at first, in all sources, has approved the rules.
        answer = context["ti"].xcom_pull(task_ids=self.approval, key="return_value")
        if was_approved(answer) and context["ti"].xcom_pull(task_ids=PLAN_TASK, key=RULES_SHOWN):
            async with open_store(self.blob_conn_id, self.container) as store:
                await note_approved(store, settings, str(context["run_id"]))
        if sums["blocked"]:
            raise PermanentError(
                f"Of {counted(sums['blocked'], 'source')} no content was deleted, because a snapshot is damaged; the "
                "logs of apply_retention name it. What is stored is safe."
            )
        return dict(sums)
