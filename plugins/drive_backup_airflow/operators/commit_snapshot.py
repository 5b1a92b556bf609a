"""Commit the snapshot of one source: catalogue first, manifest last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from drive_backup_airflow.events import emit_facts
from drive_backup_airflow.facts import fact_of
from drive_backup_airflow.links import ContainerLink, ManifestLink, push_location
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store, storage_account_id
from include.drive_backup import __version__
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.model import Listing, PlanRef

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Schedule a DAG on this alias to run it after every committed snapshot.
SNAPSHOTS = AssetAlias("drive_backup_snapshots")


class CommitSnapshotOperator(DriveBackupOperator):
    """Runs whatever the batches did; files that are missing make the snapshot ``partial``.

    Give it :data:`SNAPSHOTS` as an outlet: the asset events carry counts and bytes.

    :param listing: a dict of :class:`~include.drive_backup.model.Listing`; says which source.
    :param plans: dicts of :class:`~include.drive_backup.model.PlanRef`, of all sources.
    """

    template_fields: Sequence[str] = ("listing", "plans")
    operator_extra_links = (ManifestLink(), ContainerLink())

    def __init__(self, *, listing: dict[str, Any], plans: Iterable[dict[str, Any]] | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listing = listing
        self.plans = plans

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Commit; returns the summary, and emits an asset event when a snapshot was made."""
        plan = self._plan()
        account = await storage_account_id(self.blob_conn_id)
        async with open_store(self.blob_conn_id, self.container) as store:
            summary = await commit_snapshot(store, plan, SystemClock(), __version__)
            push_location(context, container_url=store.url, manifest=summary["manifest"], resource_id=account)
        if summary["created"]:
            self._emit_asset_event(context, summary)
            fact = msgspec.structs.replace(
                fact_of("snapshot.committed", context), object=summary["manifest"], counts=dict(summary["counts"])
            )
            await emit_facts([fact], **self.events)
        return summary

    def _emit_asset_event(self, context: Context, summary: dict[str, Any]) -> None:
        source = summary["source"]
        asset = Asset(name=f"drive-backup {source}", uri=f"drive-backup://{self.container}/snapshots/{source}")
        facts = {key: summary[key] for key in ("source", "instant", "generation", "status", "manifest", "counts")}
        context["outlet_events"][SNAPSHOTS].add(asset, extra={**facts, "bytes": summary["bytes"]})

    def _plan(self) -> PlanRef:
        """The plan of this source.

        :raises AirflowSkipException: there is none, or it is a dry run.
        """
        listing: Listing = Listing.from_dict(self.listing)
        if listing.task.dry_run:
            raise AirflowSkipException("Dry run: nothing is committed.")
        for each in self.plans or ():
            plan: PlanRef = PlanRef.from_dict(each)
            if plan.listing.task.source == listing.task.source:
                return plan
        raise AirflowSkipException("Nothing was planned for this source; see plan_batches.")
