"""Decide per item what is to be done, and shard the copies into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import StoreClock
from include.drive_backup.cost import Expectation
from include.drive_backup.groups import SourceGroup
from include.drive_backup.handover import Listing
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.planning.run import plan_run

if TYPE_CHECKING:
    from airflow.sdk import Context


#: XCom key of the place in the work area where the plans are.
PLANS = "plans"


class PlanBatchesOperator(DriveBackupOperator):
    """Compares each listing with what is stored.

    :param groups: dicts of :class:`~include.drive_backup.groups.SourceGroup`.
    :param export_formats: native type → file name extensions.
    :param max_batches: copy tasks of all sources together.
    :param expected: a dict of :class:`~include.drive_backup.cost.Expectation`, for the estimate.
    """

    template_fields = ("groups",)

    def __init__(
        self,
        *,
        groups: Any,
        export_formats: Mapping[str, Iterable[str]],
        max_batches: int = 200,
        expected: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.export_formats = export_formats
        self.max_batches = max_batches
        self.expected = expected

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Plan; returns what the copy tasks copy (nothing in a dry run) and pushes where the plans are."""
        formats = {native: tuple(each) for native, each in self.export_formats.items()}
        async with open_store(self.blob_conn_id, self.container) as store:
            repository = SnapshotRepository(store)
            place, copies = await plan_run(
                store,
                [SourceGroup.from_dict(each) for each in self.groups],
                export_formats=formats,
                max_batches=self.max_batches,
                clock=await StoreClock.of(store),
                find_base=lambda listing: _base(repository, listing),
                expected=Expectation.from_dict(self.expected or {}),
            )
        # Airflow maps over return values only, so the copies are returned and the place is pushed.
        context["ti"].xcom_push(key=PLANS, value=place)
        return [each.to_dict() for each in copies]


async def _base(repository: SnapshotRepository, listing: Listing) -> str | None:
    task = listing.task
    if task.mode == "full":
        return None
    return await repository.base_for(task.snapshots, task.instant)
