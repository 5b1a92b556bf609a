"""Delete what the plan says and, where that is much, a person has agreed to; move what is due to cooler tiers."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.approve_retention import was_approved
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import DriveBackupError, StoppedError
from include.drive_backup.journal import Journal, raise_together
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.apply import Applied, apply_source
from include.drive_backup.retention.plan import SourcePlan
from include.drive_backup.retention.readable import applied_text
from include.drive_backup.retention.run import PlanGroup, read_plans
from include.drive_backup.retention.settings import RetentionSettings

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApplyRetentionOperator(DriveBackupOperator):
    """Deletes of the sources of one group, one after the other; one that fails does not keep the others from it.

    It may be killed and run again at any moment.

    :param group: a dict of :class:`~include.drive_backup.retention.run.PlanGroup`.
    :param retention: a dict of :class:`~include.drive_backup.retention.settings.RetentionSettings`.
    :param answer: what the approval returned.
    """

    template_fields = ("group", "answer")

    def __init__(self, *, group: dict[str, Any], retention: dict[str, Any], answer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.retention = retention
        self.answer = answer

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, int]:
        """Delete and move; returns how much."""
        group, errors = PlanGroup.from_dict(self.group), list[DriveBackupError]()
        async with open_store(self.blob_conn_id, self.container) as store:
            plans = await read_plans(store, group)
            # A source that is busy is tried again every few seconds: the others must not be judged anew each time.
            async with Journal(store, f"{group.prefix}done/", Applied, SystemClock()) as journal:
                for plan in plans:
                    if plan.source not in journal.rows:
                        await self._one(journal, store, plan, context, stop, errors)
                if not errors:
                    await journal.finish()
                done = list(journal.rows.values())
        for line in applied_text(done).split("\n"):
            self.log.info(line)
        raise_together(errors, f"Of {len(errors)} of {len(plans)} sources not all was deleted")
        return {
            "sources": len(done),
            "snapshots": sum(len(each.forgotten) for each in done),
            "blobs": sum(each.parts.blobs + each.content.blobs + each.leftovers.blobs for each in done),
            "bytes": sum(each.parts.bytes + each.content.bytes + each.leftovers.bytes for each in done),
            "moved": sum(amount.blobs for each in done for amount in each.moved.values()),
            "refused": sum(len(each.refused) for each in done),
            "unmoved": sum(len(each.unmoved) for each in done),
            "blocked": sum(each.blocked is not None for each in done),
        }

    async def _one(
        self,
        journal: Journal[Applied],
        store: BlobStore,
        plan: SourcePlan,
        context: Context,
        stop: asyncio.Event,
        errors: list[DriveBackupError],
    ) -> None:
        try:
            await journal.add(await self._apply(store, plan, context, stop))
        except StoppedError:
            raise
        except DriveBackupError as error:
            errors.append(error)

    async def _apply(self, store: BlobStore, plan: SourcePlan, context: Context, stop: asyncio.Event) -> Applied:
        settings = RetentionSettings.model_validate(self.retention)
        # A name of each process's own: a try that is believed dead may still delete.
        holder = f"{context['ti'].dag_id}/{context['run_id']} {secrets.token_hex(6)}"
        return await apply_source(
            store,
            plan,
            settings.policy(plan.source, approved=plan.rules_approved),
            SourceLock(store, Source.parse(plan.source), holder),
            SystemClock(),
            # The answer was to the question: what was not in it was not agreed to.
            approved=plan.shown and was_approved(self.answer),
            leftover_days=settings.leftover_days,
            stop=stop,
        )
