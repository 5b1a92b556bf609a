"""Say what retention has deleted, and fail the run when it could not do its work."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.events import emit_for_task_states
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.plan_retention import is_dry_run
from drive_backup_airflow.operators.report import bad_tasks, failed_text
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import PermanentError
from include.drive_backup.model import counted, human_bytes
from include.drive_backup.retention.leftovers import clean_shared

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportRetentionOperator(DriveBackupOperator):
    """Runs last, whatever happened.

    :param done: what the tasks that delete returned.
    :param leftover_days: records of no single source that are older are deleted.
    """

    template_fields = ("done",)

    def __init__(self, *, done: Any, leftover_days: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.done = done
        self.leftover_days = leftover_days

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, int]:  # noqa: ARG002
        """Report; raises when a task failed, or content could not be judged."""
        sums: Counter[str] = Counter()
        for each in self.done or ():
            sums.update(each)
        if not is_dry_run(context):
            async with open_store(self.blob_conn_id, self.container) as store:
                left = await clean_shared(store, self.leftover_days)
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
        if sums["blocked"]:
            raise PermanentError(
                f"Of {counted(sums['blocked'], 'source')} no content was deleted, because a snapshot is damaged; the "
                "logs of apply_retention name it. What is stored is safe."
            )
        return dict(sums)
