"""Nights of one job, with the tries that Airflow gives each copy task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.drive_backup.errors import TransientError
from include.drive_backup.handover import BatchRef, PlanRef
from include.drive_backup.manifest.manifest import Manifest
from tests.support.fake_drive import at
from tests.support.flow import Backup

#: As ``limits.task_retries`` and ``limits.retry_delay_seconds`` have it.
RETRIES = 4
DELAY = 60.0


class Night:
    """What one night did: its plan, the tries of each copy task, its manifest and its summary."""

    def __init__(self, plan: PlanRef, tries: list[int], summary: dict[str, Any], manifest: Manifest) -> None:
        self.plan = plan
        self.tries = tries
        self.summary = summary
        self.manifest = manifest

    @property
    def listing(self) -> tuple[str, str | None]:
        """How it listed, and of a full listing why."""
        assert self.manifest.listed is not None
        return self.manifest.listed.kind, self.manifest.listed.why


async def night(backup: Backup, instant: str, *, runs: bool = True, **settings: Any) -> Night:
    """Back up as a scheduled run does, ten minutes after its instant.

    :param runs: whether any copy task runs.
    """
    backup.clock.set(at(instant) + timedelta(minutes=10))
    plan, batches = await backup.plan(instant, **{"full_listing_days": 365, **settings})
    tries = [await copied(backup, batch) for batch in batches if runs]
    summary = await backup.commit(plan)
    data = await backup.store.read(summary["manifest"])
    assert data is not None
    return Night(plan, tries, summary, Manifest.from_json(data))


async def copied(backup: Backup, batch: BatchRef) -> int:
    """Copy a batch as a task of Airflow does; how many tries it took, whether the last one succeeded or not."""
    for number in range(RETRIES + 1):
        try:
            await backup.copy(batch, resume=number > 0)
        except TransientError:
            if number < RETRIES:
                await backup.clock.sleep(DELAY * 2**number)
        else:
            return number + 1
    return RETRIES + 1
