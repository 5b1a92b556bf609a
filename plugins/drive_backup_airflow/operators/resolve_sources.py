"""Which sources this run backs up, as of which instant, with which options."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import RunOptions, instant_of
from drive_backup_airflow.wiring import open_drive, open_store
from include.drive_backup.model import Source, SourceTask, format_instant

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResolveSourcesOperator(DriveBackupOperator):
    """Checks the run's params, connections and container, and returns one plain dict per source.

    :param create_container: make the container when it is missing.
    """

    def __init__(self, *, create_container: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.create_container = create_container

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Resolve; nothing is written but a missing container."""
        options = RunOptions.of(context)
        instant = instant_of(context, options)
        async with open_store(self.blob_conn_id, self.container) as store:
            await store.ensure_container(create=self.create_container)
        sources = [each or await self._me() for each in options.sources]
        self.log.info("As of %s: %s", instant.isoformat(), ", ".join(map(str, sources)))
        tasks = [
            SourceTask(
                source=str(source),
                instant=format_instant(instant),
                run=context["run_id"],
                subject=source.id if source.kind == "user" else None,
                mode=options.mode,
                include=options.items.include,
                exclude=options.items.exclude,
                filters=options.items.filters,
                trashed=options.items.trashed,
                save=options.items.save,
                batch_files=options.batch_files,
                batch_bytes=options.batch_bytes,
                dry_run=options.dry_run,
            )
            for source in dict.fromkeys(sources)
        ]
        return [task.to_dict() for task in tasks]

    async def _me(self) -> Source:
        """The user that the connection acts as."""
        async with open_drive(self.gcp_conn_id) as drive:
            return Source(kind="user", id=(await drive.user_email()).lower())
