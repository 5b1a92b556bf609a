"""Commit the snapshot of one source: catalogue first, manifest last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store, software_version
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.model import PlanRef

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Schedule a DAG on this alias to run it after every committed snapshot.
SNAPSHOTS = AssetAlias("drive_backup_snapshots")


class CommitSnapshotOperator(DriveBackupOperator):
    """Runs whatever the batches did; files that are missing make the snapshot ``partial``.

    :param plan: a dict of :class:`~include.drive_backup.model.PlanRef`.
    """

    template_fields: Sequence[str] = ("plan",)

    def __init__(self, *, plan: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(outlets=[SNAPSHOTS], **kwargs)
        self.plan = plan

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Commit; returns the summary, and emits an asset event when a snapshot was made."""
        plan: PlanRef = PlanRef.from_dict(self.plan)
        async with open_store(self.blob_conn_id, self.container) as store:
            summary = await commit_snapshot(store, plan, SystemClock(), software_version())
        if summary["created"]:
            source = summary["source"]
            asset = Asset(name=f"drive-backup {source}", uri=f"drive-backup://{self.container}/snapshots/{source}")
            facts = {key: summary[key] for key in ("source", "instant", "generation", "status", "manifest", "counts")}
            context["outlet_events"][SNAPSHOTS].add(asset, extra={**facts, "bytes": summary["bytes"]})
        return summary
