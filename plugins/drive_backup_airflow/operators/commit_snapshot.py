"""Commit the snapshots of a group of sources: catalogue first, manifest last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from drive_backup_airflow.events import emit_facts
from drive_backup_airflow.facts import fact_of
from drive_backup_airflow.links import ContainerLink, ManifestLink, push_location
from drive_backup_airflow.locks import RunLocks
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.wiring import open_store, storage_account_id
from include.drive_backup import __version__
from include.drive_backup.clock import StoreClock
from include.drive_backup.events.envelope import Fact
from include.drive_backup.groups import SourceGroup
from include.drive_backup.journal import raise_together
from include.drive_backup.manifest.commit_group import commit_group, sums
from include.drive_backup.planning.run import read_plans

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Schedule a DAG on this alias to run it after every committed snapshot.
SNAPSHOTS = AssetAlias("drive_backup_snapshots")


class CommitSnapshotOperator(DriveBackupOperator):
    """Runs whatever the batches did; files that are missing make a snapshot ``partial``.

    Give it :data:`SNAPSHOTS` as an outlet: the asset events carry counts and bytes.

    :param group: a dict of :class:`~include.drive_backup.groups.SourceGroup`.
    :param plans: where the plans are in the work area; empty when there are none.
    """

    template_fields: Sequence[str] = ("group", "plans")
    operator_extra_links = (ManifestLink(), ContainerLink())

    def __init__(self, *, group: dict[str, Any], plans: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.plans = plans

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Commit; returns the summary of the only source, or the sums of several."""
        group: SourceGroup = SourceGroup.from_dict(self.group)
        account = await storage_account_id(self.blob_conn_id)
        async with open_store(self.blob_conn_id, self.container) as store:
            plans = await read_plans(store, self.plans, group) if self.plans else []
            if not plans:
                raise AirflowSkipException("Nothing was planned for this group; see list_source and plan_batches.")
            if all(plan.listing.task.dry_run for plan in plans):
                raise AirflowSkipException("Dry run: nothing is committed.")
            hold = RunLocks(store, context).hold_last
            clock = await StoreClock.of(store)
            summaries, errors = await commit_group(store, str(self.plans), group, plans, clock, __version__, hold)
            manifest = summaries[0]["manifest"] if len(summaries) == 1 else None
            push_location(context, container_url=store.url, manifest=manifest, resource_id=account)
        made = [summary for summary in summaries if summary["created"]]
        for summary in made:
            self._emit_asset_event(context, summary)
        await emit_facts(_facts(context, made), **self.events)
        raise_together(errors, f"{len(errors)} of {len(plans)} snapshots could not be committed")
        return summaries[0] if group.sources == 1 else sums(summaries)

    def _emit_asset_event(self, context: Context, summary: dict[str, Any]) -> None:
        source = summary["source"]
        asset = Asset(name=f"drive-backup {source}", uri=f"drive-backup://{self.container}/snapshots/{source}")
        facts = {
            key: summary[key] for key in ("source", "series", "instant", "generation", "status", "manifest", "counts")
        }
        context["outlet_events"][SNAPSHOTS].add(asset, extra={**facts, "bytes": summary["bytes"]})


def _facts(context: Context, summaries: Sequence[dict[str, Any]]) -> list[Fact]:
    if not summaries:
        return []
    fact = fact_of("snapshot.committed", context)
    return [
        msgspec.structs.replace(fact, object=summary["manifest"], counts=dict(summary["counts"]))
        for summary in summaries
    ]
