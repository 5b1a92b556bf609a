"""List a group of sources into the run's work area."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.locks import RunLocks
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_shared_drive, open_store
from include.drive_backup.clock import StoreClock
from include.drive_backup.groups import SourceGroup
from include.drive_backup.handover import SourceTask
from include.drive_backup.listing_group import list_group
from include.drive_backup.ports import Drive

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListDriveSourceOperator(DriveBackupOperator):
    """Streams the flat listing of each source of a group into Blob; a further try lists only what is missing.

    :param group: a dict of :class:`~include.drive_backup.groups.SourceGroup`.
    :param quota: a dict of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    """

    template_fields = ("group",)

    def __init__(
        self, *, group: dict[str, Any], quota: dict[str, Any] | None = None, attempts: int = 6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.quota = quota
        self.attempts = attempts

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:
        """Hold each source, and list it; returns how many sources, items and bytes."""
        group: SourceGroup = SourceGroup.from_dict(self.group)
        async with open_store(self.blob_conn_id, self.container) as store:
            locks = RunLocks(store, context)

            @asynccontextmanager
            async def open_held(task: SourceTask) -> AsyncIterator[Drive]:
                async with (
                    locks.hold(task),
                    open_shared_drive(
                        self.gcp_conn_id, store, task, quota=self.quota or {}, attempts=self.attempts
                    ) as drive,
                ):
                    yield drive

            return await list_group(open_held, store, group, await StoreClock.of(store), stop)
