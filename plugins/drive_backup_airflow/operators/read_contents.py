"""Read contents again and compare their SHA-256 with the catalogue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.verification.batches import ReadBatch
from include.drive_backup.verification.group import read_batch

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReadContentsOperator(DriveBackupOperator):
    """Reads what one task is to read; a further try reads it from the beginning.

    :param share: ``batches``, dicts of :class:`~include.drive_backup.verification.batches.ReadBatch`, and a ``label``.
    """

    template_fields = ("share",)

    def __init__(self, *, share: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:
        """Read; returns dicts of :class:`~include.drive_backup.verification.batches.ReadGroup`."""
        batches = [ReadBatch.from_dict(each) for each in self.share["batches"]]
        async with open_store(self.blob_conn_id, self.container) as store:
            run, clock = context["run_id"], SystemClock()
            done = [await read_batch(store, each, run=run, stop=stop, clock=clock) for each in batches]
        return [each.to_dict() for each in done]
