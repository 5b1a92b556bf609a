"""Hold the snapshots of some sources against the container's listing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import StoreClock
from include.drive_backup.moments import read_zone
from include.drive_backup.verification.group import check_group
from include.drive_backup.verification.model import Depth

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The ``read`` of params and config, as the core calls it.
DEPTHS: dict[str, Depth] = {"none": "listing", "sample": "sample", "all": "all"}


class CheckListingOperator(DriveBackupOperator):
    """Reads manifests and catalogues, and of the content only names, lengths and MD5s.

    :param group: ``sources`` to check, and a ``label``.
    :param batch_mb: about what one task shall read again, in MB.
    :param max_batches: tasks that read again, of one source, at most.
    :param time_zone: in which the param ``snapshots`` is when it is a time that names none.
    """

    template_fields = ("group",)

    def __init__(
        self,
        *,
        group: dict[str, Any],
        batch_mb: int = 20_000,
        max_batches: int = 20,
        time_zone: str = "UTC",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.batch_mb = batch_mb
        self.max_batches = max_batches
        self.time_zone = time_zone

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Check; returns a dict of :class:`~include.drive_backup.verification.batches.CheckedGroup`."""
        params = context["params"]
        async with open_store(self.blob_conn_id, self.container) as store:
            clock = await StoreClock.of(store)
            checked = await check_group(
                store,
                self.group["sources"],
                run=context["run_id"],
                at=params["snapshots"],
                depth=DEPTHS[params["read"]],
                period=params["period_days"],
                now=clock.now(),
                batch_bytes=self.batch_mb * 1_000_000,
                max_batches=self.max_batches,
                clock=clock,
                zone=read_zone(self.time_zone),
            )
        self.log.info(
            "%d snapshots with %d contents checked; %d damaged", checked.snapshots, checked.blobs, checked.found.count
        )
        return checked.to_dict()
