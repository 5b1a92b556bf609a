"""List one source into the run's work area."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_shared_drive, open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.listing import list_source
from include.drive_backup.model import SourceTask

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListDriveSourceOperator(DriveBackupOperator):
    """Streams the flat listing of one source into Blob.

    :param source_task: a dict of :class:`~include.drive_backup.model.SourceTask`.
    :param quota: a dict of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    """

    template_fields = ("source_task",)

    def __init__(
        self, *, source_task: dict[str, Any], quota: dict[str, Any] | None = None, attempts: int = 6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source_task = source_task
        self.quota = quota
        self.attempts = attempts

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """List; returns a dict of :class:`~include.drive_backup.model.Listing`."""
        task: SourceTask = SourceTask.from_dict(self.source_task)
        async with (
            open_store(self.blob_conn_id, self.container) as store,
            open_shared_drive(self.gcp_conn_id, store, task, quota=self.quota or {}, attempts=self.attempts) as drive,
        ):
            listing = await list_source(drive, store, task, SystemClock())
        return listing.to_dict()
