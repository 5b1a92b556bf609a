"""Which sources a verification checks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import refuse_unknown
from drive_backup_airflow.wiring import open_store
from include.drive_backup.groups import label_of
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChooseSnapshotsOperator(DriveBackupOperator):
    """After a backup its sources, else those of the params, else all that the container holds.

    :param max_groups: tasks that check them, at most.
    """

    def __init__(self, *, max_groups: int = 200, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_groups = max_groups

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Choose; returns groups of sources, none when a backup was into another container."""
        refuse_unknown(context)
        if after_backup(context):
            sources = committed(context, self.container)
        else:
            wanted = [str(Source.parse(each)) for each in context["params"]["sources"] or ()]
            sources = wanted or await self._all()
        self.log.info("To be checked: %s", ", ".join(sources) or "nothing")
        count = min(self.max_groups, len(sources))
        members = [sources[len(sources) * n // count : len(sources) * (n + 1) // count] for n in range(count)]
        return [{"sources": each, "label": label_of(each)} for each in members]

    async def _all(self) -> list[str]:
        async with open_store(self.blob_conn_id, self.container) as store:
            return [str(source) for source in await SnapshotRepository(store).sources()]


def after_backup(context: Context) -> bool:
    """Whether a committed snapshot triggered the run."""
    run: Any = context["dag_run"]
    return str(getattr(run.run_type, "value", run.run_type)) == "asset_triggered"


def committed(context: Context, container: str) -> Sequence[str]:
    """The sources whose snapshots in a container triggered the run."""
    events = [event for each in context["triggering_asset_events"].values() for event in each]
    here = f"drive-backup://{container}/"
    return sorted({str(event.extra["source"]) for event in events if str(event.asset.uri).startswith(here)})
