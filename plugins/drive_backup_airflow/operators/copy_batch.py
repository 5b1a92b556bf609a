"""Copy one batch from Drive to Blob."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_shared_drive, open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.model import BatchRef
from include.drive_backup.transfer.batch import copy_batch

if TYPE_CHECKING:
    from airflow.sdk import Context


class DriveToBlobBatchOperator(DriveBackupOperator):
    """Copies the content versions of one batch; a further try copies only what is missing.

    :param batch: a dict of :class:`~include.drive_backup.model.BatchRef`.
    :param quota: a dict of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    :param files_in_flight: how many files at once at most.
    :param memory_mb: for file contents, in MB.
    :param acknowledge_abuse: download files that Drive flags as malware, where the owner may.
    """

    template_fields = ("batch",)

    def __init__(
        self,
        *,
        batch: dict[str, Any],
        quota: dict[str, Any] | None = None,
        attempts: int = 6,
        files_in_flight: int = 128,
        memory_mb: int = 256,
        acknowledge_abuse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.quota = quota
        self.attempts = attempts
        self.files_in_flight = files_in_flight
        self.memory_mb = memory_mb
        self.acknowledge_abuse = acknowledge_abuse

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:
        """Copy; returns counts."""
        batch: BatchRef = BatchRef.from_dict(self.batch)
        async with (
            open_store(self.blob_conn_id, self.container) as store,
            open_shared_drive(
                self.gcp_conn_id,
                store,
                batch.task,
                quota=self.quota or {},
                attempts=self.attempts,
                acknowledge_abuse=self.acknowledge_abuse,
            ) as drive,
        ):
            return await copy_batch(
                drive,
                store,
                batch,
                clock=SystemClock(),
                in_flight=self.files_in_flight,
                memory_bytes=self.memory_mb * 1_000_000,
                resume=context["ti"].try_number > 1,
                stop=stop,
            )
