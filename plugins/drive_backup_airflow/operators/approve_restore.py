"""Ask a second person before a restore, where the config wants it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from drive_backup_airflow.operators.approve_retention import was_approved
from drive_backup_airflow.restore_params import restore_task
from drive_backup_airflow.retry import task_problem
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import ApprovalNeededError, DriveBackupError
from include.drive_backup.printing import markdown_code
from include.drive_backup.restore.allowed import asks, check_allowed
from include.drive_backup.restore.batches import RestoreTask
from include.drive_backup.restore.person import of_person
from include.drive_backup.restore.settings import RestoreSettings

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The answer of :class:`ApproveRestoreOperator` where nobody has to be asked.
NOT_ASKED = "nobody has to be asked"


class ApproveRestoreOperator(ApprovalOperator):
    """Waits for a person other than the one who triggered the run, without taking a worker's slot.

    It fails when that person says no, when nobody answers in time, and when the one who triggered the run answers.

    :param allowed: a dict of :class:`~include.drive_backup.restore.settings.RestoreSettings`.
    :param blob_conn_id: connection of the backup's container.
    :param container: its name.
    """

    def __init__(
        self,
        *,
        allowed: dict[str, Any],
        subject: str,
        blob_conn_id: str = "drive_backup_blob",
        container: str = "drive-backup",
        **kwargs: Any,
    ) -> None:
        super().__init__(subject=subject, **kwargs)
        self.allowed = allowed
        self.blob_conn_id = blob_conn_id
        self.container = container

    def execute(self, context: Context) -> Any:
        """Ask, if the restore is one that needs it."""
        try:
            written = restore_task(context)
            task = asyncio.run(self._meant(written))
            settings = RestoreSettings.model_validate(self.allowed)
            # Nobody is asked for what is refused anyway.
            check_allowed(settings, task, self.blob_conn_id, self.container)
        except DriveBackupError as error:
            raise task_problem(error) from None
        if not asks(settings, task):
            self.log.info("Nobody has to be asked.")
            return NOT_ASKED
        self.body = question(task, _who_triggered(context), written)
        return super().execute(context)

    async def _meant(self, task: RestoreTask) -> RestoreTask:
        async with open_store(self.blob_conn_id, self.container) as store:
            meant, _ = await of_person(store, task)
        return meant

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer."""
        if "error" not in event and (why := objection(event, _who_triggered(context))):
            raise task_problem(ApprovalNeededError(why))
        return super().execute_complete(context, event)


def question(task: RestoreTask, who: str | None, written: RestoreTask) -> str:
    """What the person reads.

    :param task: what is really done; ``written``: what the form says.
    """
    # What others wrote is shown as it is: a path may look like Markdown, and say what nobody asked for.
    code = markdown_code
    wanted = ", ".join(map(code, (*task.paths, *task.ids))) or "everything"
    what = [
        f"{code(who) if who else 'Somebody'} wants to restore {code(task.source)} as of {code(task.snapshot)} "
        f"to {code(task.to)}"
        + (f" (connection {code(task.to_conn)})" if task.to_conn else "")
        + (f", acting as {code(task.subject)}" if task.subject else ""),
        f"What: {wanted}",
        f"What is there under the same name: {task.conflict}"
        if task.merge or task.place
        else "Into a new folder there",
    ]
    if (task.source, task.to) != (written.source, written.to):
        what.insert(1, f"The form says: {code(written.source)} to {code(written.to)}")
    return "\n\n".join([*what, "A dry run of the same form lists the items."])


def objection(event: dict[str, Any], who: str | None) -> str | None:
    """Why an answer is no approval by a second person; None: it is one.

    :param who: triggered the run, if that is known.
    """
    user = event.get("responded_by_user") or {}
    names = {str(user.get(key)).casefold() for key in ("id", "name") if user.get(key)}
    by = user.get("name") or "somebody"
    if not was_approved(event):
        return f"{by} did not agree to this restore, so nothing was restored."
    if who is not None and who.casefold() in names:
        return f"{by} triggered this restore, so that another person has to agree to it. Nothing was restored."
    return None


def _who_triggered(context: Context) -> str | None:
    return getattr(context["dag_run"], "triggering_user_name", None)
