"""Which sources this run backs up, as of which instant, with which options."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import RunOptions, instant_of
from drive_backup_airflow.wiring import directory, open_store
from include.drive_backup.groups import run_work, write_groups
from include.drive_backup.handover import SourceTask
from include.drive_backup.model import format_instant
from include.drive_backup.resolve import Found, resolve

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResolveSourcesOperator(DriveBackupOperator):
    """Checks the run's params, connections and container, and returns one plain dict per group of sources.

    :param create_container: make the container when it is missing.
    :param max_groups: up to so many sources have a group each.
    :param full_listing_days: days after which a listing by changes is followed by a full one.
    :param attempts: tries of one request.
    """

    def __init__(
        self,
        *,
        create_container: bool = True,
        max_groups: int = 200,
        full_listing_days: int = 7,
        attempts: int = 6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.create_container = create_container
        self.max_groups = max_groups
        self.full_listing_days = full_listing_days
        self.attempts = attempts

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Resolve; what is written is a missing container, and the sources in the run's work area."""
        options = RunOptions.of(context)
        instant = instant_of(context, options)
        async with open_store(self.blob_conn_id, self.container) as store:
            await store.ensure_container(create=self.create_container)
            found, left_out = await resolve(options.sources, directory(self.gcp_conn_id, attempts=self.attempts))
            work = run_work(context["run_id"])
            tasks = self._tasks(found, options, instant, context["run_id"])
            groups = await write_groups(store, work, tasks, left_out, max_groups=self.max_groups)
        self.log.info(
            "As of %s: %d sources (%d left out): %s%s",
            instant.isoformat(),
            len(tasks),
            len(left_out),
            ", ".join(task.source for task in tasks[:20]),
            " …" if len(tasks) > 20 else "",
        )
        return [group.to_dict() for group in groups]

    def _tasks(self, found: Sequence[Found], options: RunOptions, instant: datetime, run: str) -> list[SourceTask]:
        return [
            SourceTask(
                source=str(each.source),
                instant=format_instant(instant),
                run=run,
                subject=each.source.user,
                mode=options.mode,
                include=options.items.include,
                exclude=options.items.exclude,
                filters=options.items.filters,
                trashed=options.items.trashed,
                save=options.items.save,
                batch_files=options.batch_files,
                batch_bytes=options.batch_bytes,
                full_listing_days=self.full_listing_days,
                dry_run=options.dry_run,
                asked=each.asked,
            )
            for each in found
        ]
