"""Take what a restore needs out of the archive tier, and wait for it without a worker."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.restore import read_plan
from drive_backup_airflow.triggers.rehydrated import RehydratedTrigger
from drive_backup_airflow.wiring import open_store
from include.drive_backup.restore.batches import contents_of_plan
from include.drive_backup.restore.rehydrate import archived_among, ask, notice, write_names

if TYPE_CHECKING:
    from airflow.sdk import Context


class RehydrateContentOperator(DriveBackupOperator):
    """Succeeds at once when nothing is archived; else asks for it, and is deferred until it can be read.

    What the service will not rehydrate is logged, and fails later, file by file.

    :param plan: JSON of a :class:`~include.drive_backup.restore.batches.RestorePlan`; ``{}`` in a dry run.
    :param poll_seconds: between two looks of the triggerer.
    """

    template_fields = ("plan",)

    def __init__(self, *, plan: str, poll_seconds: float = 300.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.poll_seconds = poll_seconds

    def execute(self, context: Context) -> int:
        """Return how many blobs stay archived, or wait."""
        done = super().execute(context)
        if done["waiting"]:
            trigger = RehydratedTrigger(
                blob_conn_id=self.blob_conn_id,
                container=self.container,
                prefix=done["prefix"],
                parts=done["parts"],
                poll_seconds=self.poll_seconds,
            )
            self.defer(trigger=trigger, method_name="look_again")
        return int(done["refused"])

    def look_again(self, context: Context, event: dict[str, Any]) -> int:  # noqa: ARG002 - the event says when, not what
        """Called when the trigger has fired."""
        return self.execute(context)

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Look, and ask; says how many are waited for, and where their names are."""
        plan = read_plan(self.plan)
        if plan is None:
            return {"waiting": 0, "refused": 0}
        async with open_store(self.blob_conn_id, self.container) as store:
            archived = await archived_among(store, await contents_of_plan(store, plan))
            if not archived:
                self.log.info("Nothing that is to be restored is archived.")
                return {"waiting": 0, "refused": 0}
            priority = plan.priority
            self.log.info("%s", notice(archived, priority))
            refused = await ask(store, archived, priority)
            for name, why in refused.items():
                self.log.warning("'%s' stays in the archive: %s", name, why.message)
            waiting = [info.name for info in archived if info.name not in refused]
            prefix = f"{plan.work}/archived-{secrets.token_hex(4)}-"
            parts = await write_names(store, prefix, waiting)
        return {"waiting": len(waiting), "refused": len(refused), "prefix": prefix, "parts": parts}
