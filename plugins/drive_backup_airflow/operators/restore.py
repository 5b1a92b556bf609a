"""Restore into Drive or another container: plan and make the folders, restore batches, report."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from drive_backup_airflow.events import emit_for_task_states
from drive_backup_airflow.operators.approve_retention import was_approved
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.report import bad_tasks, failed_text
from drive_backup_airflow.restore_params import restore_task
from drive_backup_airflow.wiring import open_restore_drive, open_store, open_target_store
from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ApprovalNeededError, CredentialsError, SnapshotIncompleteError
from include.drive_backup.manifest.erased import erased_note
from include.drive_backup.manifest.found import Found
from include.drive_backup.manifest.narrowed import narrowed_note
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import counted, human_bytes
from include.drive_backup.printing import one_line
from include.drive_backup.protection import Reader, register, unregister
from include.drive_backup.restore.allowed import asks, check_allowed
from include.drive_backup.restore.batches import (
    RestoreBatch,
    RestorePlan,
    RestoreTask,
    find_snapshot,
    look,
    plan_restore,
    report,
    restore_batch,
    restored_ids,
    tally_of,
    verdict,
    work_of,
)
from include.drive_backup.restore.container_batches import plan_container_restore, restore_container_batch
from include.drive_backup.restore.container_target import ContainerPlace, check_target
from include.drive_backup.restore.orders import shortfall
from include.drive_backup.restore.person import check_person, of_person
from include.drive_backup.restore.rehydrate import archived_among, contents_of, notice
from include.drive_backup.restore.settings import RestoreSettings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.drive_backup.ports import BlobStore

#: XCom key of the plan; empty in a dry run.
PLAN = "plan"
_SHOWN = 200


def reader_of(run: str) -> Reader:
    """Who a restore is to those that delete. All tasks of a run are one reader."""
    return Reader(who=f"google_drive_restore/{run}", doing="restored")


def read_plan(text: str) -> RestorePlan | None:
    """The plan that ``plan_restore`` left, if it made one."""
    found = json.loads(text)
    return RestorePlan.from_dict(found) if found else None


class RestoreOperator(DriveBackupOperator):
    """What the tasks of a restore share.

    :param quota: a dict of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    """

    def __init__(self, *, quota: dict[str, Any] | None = None, attempts: int = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quota = quota
        self.attempts = attempts

    def drive(self, store: BlobStore, task: RestoreTask) -> Any:
        """Drive with the right to write."""
        return open_restore_drive(self.gcp_conn_id, store, task.subject, quota=self.quota or {}, attempts=self.attempts)

    def target(self, task: RestoreTask, place: ContainerPlace) -> Any:
        """The container to restore into."""
        return open_target_store(task.to_conn or self.blob_conn_id, place.container)


class PlanRestoreOperator(RestoreOperator):
    """Checks the run's params, makes the folders, and returns the batches; pushes the plan under the key ``plan``.

    :param protect_hours: for which the snapshot is kept, unless ``report`` ends it sooner: as long as the
        run may take.
    :param allowed: a dict of :class:`~include.drive_backup.restore.settings.RestoreSettings`.
    :param answer: what the approval returned, where there is one.
    """

    template_fields = ("answer",)

    def __init__(
        self,
        *,
        protect_hours: float = 24.0,
        allowed: dict[str, Any] | None = None,
        answer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.protect_hours = protect_hours
        self.allowed = allowed or {}
        self.answer = answer

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Plan; a dry run only says what would be restored."""
        task = restore_task(context)
        async with open_store(self.blob_conn_id, self.container) as store:
            await store.ensure_container(create=False)
            task, note = await of_person(store, task)
            self._note(note)
            self._check(task)
            if task.dry_run:
                await self._show(store, task)
                context["ti"].xcom_push(key=PLAN, value={})
                return []
            plan = await self._plan_protected(store, task)
        amount = f"{counted(plan.items, 'item')}, {human_bytes(plan.bytes)}"
        self.log.info("%s to %s from %s, in %d batches.", amount, task.to, plan.manifest, len(plan.batches))
        if plan.shortfall:
            self.log.warning("%s", plan.shortfall)
        context["ti"].xcom_push(key=PLAN, value=plan.to_dict())
        return [batch.to_dict() for batch in plan.batches]

    def _check(self, task: RestoreTask) -> None:
        settings = RestoreSettings.model_validate(self.allowed)
        check_allowed(settings, task, self.blob_conn_id, self.container)
        if asks(settings, task) and not was_approved(self.answer):
            raise ApprovalNeededError("Nobody has agreed to this restore, so nothing was restored. Trigger it again.")

    async def _plan_protected(self, store: BlobStore, task: RestoreTask) -> RestorePlan:
        found = await self._found(store, task)
        name = found.manifest.name
        reader = reader_of(task.run)
        try:
            await register(store, name, reader, seconds=int(self.protect_hours * 3600))
        except CredentialsError as error:
            self.log.warning("Nothing keeps retention from deleting the snapshot meanwhile. %s", error)
        try:
            # What was found is what is protected: "latest" may be another one by now.
            task = msgspec.structs.replace(task, snapshot=name.ident, series=name.series.name)
            plan = await self._plan(store, task, work_of(task.run, secrets.token_hex(4)))
            lacks = " ".join([*found.flaws, *filter(None, [plan.shortfall])])
            return msgspec.structs.replace(plan, shortfall=lacks or None)
        except BaseException:
            await unregister(store, name, reader)
            raise

    async def _plan(self, store: BlobStore, task: RestoreTask, work: str) -> RestorePlan:
        if (place := task.place) is not None:
            async with self.target(task, place) as target:
                return await plan_container_restore(store, target, task, work)
        async with self.drive(store, task) as drive:
            await check_person(drive, task.subject, task.person)
            return await plan_restore(drive, store, task, SystemClock(), work)

    async def _found(self, store: BlobStore, task: RestoreTask) -> Found:
        found = await find_snapshot(store, task)
        notes = (await narrowed_note(store, found.manifest), erased_note(found.manifest))
        for text in (*found.notes, *found.flaws, *notes):
            self._note(text)
        return found

    def _note(self, text: str | None) -> None:
        if text is not None:
            self.log.warning("%s", text)

    async def _show(self, store: BlobStore, task: RestoreTask) -> None:
        await self._found(store, task)
        manifest, wanted = await look(store, task)
        if (place := task.place) is not None:
            async with self.target(task, place) as target:
                await check_target(store, target)
        size = human_bytes(sum(entry.size for entry in wanted.values()))
        what = f"{counted(len(wanted), 'item')}, {size}, as of {manifest.name.shown}"
        self.log.info("DRY RUN, nothing is restored: %s to %s.", what, task.to)
        if lacks := shortfall(manifest):
            self.log.warning("%s", lacks)
        lost = [entry for entry in wanted.values() if entry.not_saved]
        for entry in lost[:_SHOWN]:
            self.log.warning("  not saved: %s: %s", entry.shown, one_line(entry.not_saved or ""))
        if len(lost) > _SHOWN:
            self.log.warning("  … and %d more that are not saved.", len(lost) - _SHOWN)
        for entry in list(wanted.values())[:_SHOWN]:
            self.log.info("  %s", entry.shown)
        if len(wanted) > _SHOWN:
            self.log.info("  … and %d more.", len(wanted) - _SHOWN)
        archived = await archived_among(store, await contents_of(store, manifest, wanted))
        if archived:
            self.log.info("%s", notice(archived, task.priority))


class RestoreBatchOperator(RestoreOperator):
    """Restores the items of one batch; a further try restores only what is missing.

    :param batch: a dict of :class:`~include.drive_backup.restore.batches.RestoreBatch`.
    """

    template_fields = ("batch",)

    def __init__(self, *, batch: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, int]:  # noqa: ARG002
        """Restore; returns counts."""
        batch: RestoreBatch = RestoreBatch.from_dict(self.batch)
        async with open_store(self.blob_conn_id, self.container) as store:
            if (place := batch.task.place) is not None:
                async with self.target(batch.task, place) as target:
                    return await restore_container_batch(store, target, batch, SystemClock(), stop=stop)
            async with self.drive(store, batch.task) as drive:
                return await restore_batch(drive, store, batch, SystemClock(), stop=stop)


class RestoreShortcutsOperator(RestoreOperator):
    """Restores the shortcuts, when what they may lead to is there.

    :param plan: JSON of a :class:`~include.drive_backup.restore.batches.RestorePlan`; ``{}`` in a dry run, ``null``
        when there is none.
    """

    template_fields = ("plan",)

    def __init__(self, *, plan: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, int]:  # noqa: ARG002
        """Restore; returns counts."""
        plan = read_plan(self.plan)
        if plan is None or plan.shortcuts is None:
            return {}
        async with (
            open_store(self.blob_conn_id, self.container) as store,
            self.drive(store, plan.shortcuts.task) as drive,
        ):
            ids = await restored_ids(store, plan)
            return await restore_batch(drive, store, plan.shortcuts, SystemClock(), ids=ids, stop=stop)


class RestoreReportOperator(DriveBackupOperator):
    """Runs last, whatever happened; fails when something of what was asked for is not there.

    :param plan: JSON of a :class:`~include.drive_backup.restore.batches.RestorePlan`; ``{}`` in a dry run, ``null``
        when there is none.
    """

    template_fields = ("plan",)

    def __init__(self, *, plan: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Report; raises when the restore is not complete."""
        counts: dict[str, int] = {}
        gone = None
        plan = read_plan(self.plan)
        if plan is not None:
            async with open_store(self.blob_conn_id, self.container) as store:
                found, blob = await report(store, plan, secrets.token_hex(4))
                # What failed can be cleared and tried again: then it is still to be read.
                again = bool(found["failed"] or found["missing"] or bad_tasks(context))
                gone = await self._end_protection(store, plan, str(context["run_id"]), keep=again)
                tally = await tally_of(store, plan)
                self.log.info("%s. %s Every item: %s", tally, tally.changed_names, blob)
            counts = dict(found)
        await emit_for_task_states(context, **self.events)
        if gone is not None:
            raise SnapshotIncompleteError(
                f"The snapshot {gone} was deleted while it was being restored: some of it may be missing. Restore "
                "another one."
            )
        verdict(counts, plan.shortfall if plan else None)
        bad = bad_tasks(context)
        if bad:
            raise SnapshotIncompleteError(f"{failed_text(bad)} See their logs.")
        return counts

    async def _end_protection(self, store: BlobStore, plan: RestorePlan, run: str, *, keep: bool) -> str | None:
        """Let retention have the snapshot again; its id, if it was deleted in spite of all.

        :param keep: the protection stays, for as long as it was written for.
        """
        name = parse_snapshot(plan.manifest)
        if name is None:
            return None
        if not keep:
            await unregister(store, name, reader_of(run))
        return None if await SnapshotRepository(store).is_there(name) else name.ident
