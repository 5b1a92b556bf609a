"""List one source into the run's work area."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_drive, open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.listing import list_source
from include.drive_backup.model import SourceTask
from include.drive_backup.spent import recorded

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListDriveSourceOperator(DriveBackupOperator):
    """Streams the flat listing of one source into Blob.

    :param source_task: a dict of :class:`~include.drive_backup.model.SourceTask`.
    :param units_per_minute: Drive quota units that this task may spend a minute.
    :param attempts: tries of one request.
    """

    template_fields = ("source_task",)

    def __init__(
        self, *, source_task: dict[str, Any], units_per_minute: int = 325_000, attempts: int = 6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source_task = source_task
        self.units_per_minute = units_per_minute
        self.attempts = attempts

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """List; returns a dict of :class:`~include.drive_backup.model.Listing`."""
        task: SourceTask = SourceTask.from_dict(self.source_task)
        async with (
            open_store(self.blob_conn_id, self.container) as store,
            open_drive(
                self.gcp_conn_id, task.subject, units_per_minute=self.units_per_minute, attempts=self.attempts
            ) as drive,
            recorded(drive, store, task, SystemClock()),
        ):
            listing = await list_source(drive, store, task, SystemClock())
        return listing.to_dict()
