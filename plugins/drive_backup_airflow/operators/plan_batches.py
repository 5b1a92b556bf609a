"""Decide per item what is to be done, and shard the copies into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.cost import Expectation
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Listing, Source
from include.drive_backup.planning.plan import plan_sources
from include.drive_backup.ports import BlobStore

if TYPE_CHECKING:
    from airflow.sdk import Context


#: XCom key of the plans, one per source.
PLANS = "plans"


class PlanBatchesOperator(DriveBackupOperator):
    """Compares each listing with what is stored.

    :param listings: dicts of :class:`~include.drive_backup.model.Listing`.
    :param export_formats: native type → file name extensions.
    :param max_batches: of all sources together.
    :param expected: a dict of :class:`~include.drive_backup.cost.Expectation`, for the estimate.
    """

    template_fields = ("listings",)

    def __init__(
        self,
        *,
        listings: Any,
        export_formats: Mapping[str, Iterable[str]],
        max_batches: int = 200,
        expected: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.listings = listings
        self.export_formats = export_formats
        self.max_batches = max_batches
        self.expected = expected

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Plan; returns the batches (none in a dry run) and pushes the plans under the key ``plans``."""
        listings = [Listing.from_dict(each) for each in self.listings]
        formats = {native: tuple(each) for native, each in self.export_formats.items()}
        async with open_store(self.blob_conn_id, self.container) as store:
            plans, batches = await plan_sources(
                store,
                listings,
                export_formats=formats,
                max_batches=self.max_batches,
                clock=SystemClock(),
                expected=Expectation.from_dict(self.expected or {}),
                bases={each.task.source: await _base(store, each) for each in listings},
            )
        # Airflow maps over return values only, so the batches are returned and the plans pushed.
        context["ti"].xcom_push(key=PLANS, value=[plan.to_dict() for plan in plans])
        return [{**batch.to_dict(), "label": batch.label} for batch in batches if not batch.task.dry_run]


async def _base(store: BlobStore, listing: Listing) -> str | None:
    task = listing.task
    if task.mode == "full":
        return None
    return await SnapshotRepository(store).base_for(Source.parse(task.source), task.instant)
