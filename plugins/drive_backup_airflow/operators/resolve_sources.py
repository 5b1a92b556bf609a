"""Which sources this run backs up, as of which instant, with which options."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.params import RunOptions, check_clock, instant_of, selected_by
from drive_backup_airflow.wiring import directory, open_store
from include.drive_backup.groups import run_work, write_groups
from include.drive_backup.handover import SourceTask
from include.drive_backup.identity.sources import find_sources
from include.drive_backup.model import DEFAULT_SERIES, counted, format_instant
from include.drive_backup.resolve import Found
from include.drive_backup.series import Selected, is_of_job, names_me, series_name

if TYPE_CHECKING:
    from airflow.sdk import Context


NARROWED = (
    "This run does not select what the job's settings select. Its snapshots are a series of their own, '%s': they do "
    "not become the latest ones of the job '%s', and nothing of the job's is deleted because of them."
)


class ResolveSourcesOperator(DriveBackupOperator):
    """Checks the run's params, connections and container, and returns one plain dict per group of sources.

    :param job: the name of the job.
    :param own_params: the values of the trigger form as the job's settings give them: a run with others makes snapshots
        of a series of its own.
    :param create_container: make the container when it is missing.
    :param max_groups: up to so many sources have a group each.
    :param full_listing_days: days after which a listing by changes is followed by a full one.
    :param attempts: tries of one request.
    """

    def __init__(
        self,
        *,
        job: str = DEFAULT_SERIES,
        own_params: dict[str, Any] | None = None,
        create_container: bool = True,
        max_groups: int = 200,
        full_listing_days: int = 7,
        attempts: int = 6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.own_params = own_params
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
            check_clock(instant, await store.now())
            company = directory(self.gcp_conn_id, attempts=self.attempts)
            found, left_out = await find_sources(
                store, options.sources, company, by=context["run_id"], keep=not options.dry_run
            )
            me = await company.me() if names_me(self._own(options)) else None
            work = run_work(context["run_id"])
            tasks = self._tasks(found, options, instant, context["run_id"], me)
            groups = await write_groups(store, work, tasks, left_out, max_groups=self.max_groups)
        for name in sorted({task.series for task in tasks} - {self.job}):
            self.log.warning(NARROWED, name, self.job)
        self.log.info(
            "As of %s: %s (%d left out): %s%s",
            instant.isoformat(),
            counted(len(tasks), "source"),
            len(left_out),
            ", ".join(task.source for task in tasks[:20]),
            " …" if len(tasks) > 20 else "",
        )
        return [group.to_dict() for group in groups]

    def _own(self, options: RunOptions) -> Selected:
        """What the job selects by its settings."""
        return options.selected if self.own_params is None else selected_by(self.own_params)

    def _tasks(
        self, found: Sequence[Found], options: RunOptions, instant: datetime, run: str, me: str | None = None
    ) -> list[SourceTask]:
        own = self._own(options)
        return [
            SourceTask(
                source=str(each.source),
                instant=format_instant(instant),
                run=run,
                series=series_name(self.job, own, options.selected, each.source),
                by_hand=not any(is_of_job(named, own, me) for named in (each.source, each.entry) if named),
                subject=each.person.address if each.person else None,
                address=each.person.address if each.person else None,
                person=each.person.permission_id if each.person else None,
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
