"""The retention of a whole container as a run of many tasks: plans are written down by group, and applied by group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase

from include.drive_backup.groups import label_of, run_work, write_rows
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.plan import SourcePlan, plan_source
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.work import read_parts

#: Sources that are looked at at once; each needs memory for the fingerprints of its content.
_AT_ONCE = 4


class PlanGroup(Struct, frozen=True):
    """Some of a run's plans: what one task applies. Small, for XCom."""

    prefix: str
    parts: int
    label: str


async def plan_all(store: BlobStore, settings: RetentionSettings, globs: Sequence[str] = ()) -> list[SourcePlan]:
    """Plan every source of a container that has a snapshot.

    :param globs: only these sources; none: all.
    """
    sources = [each for each in await SnapshotRepository(store).sources() if _wanted(each, globs)]
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(source: Source) -> SourcePlan:
        async with room:
            return await plan_source(store, source, settings.policy(str(source)))

    return list(await asyncio.gather(*map(one, sources)))


async def write_plans(store: BlobStore, run: str, plans: Sequence[SourcePlan], *, max_groups: int) -> list[PlanGroup]:
    """Write the plans that delete anything into the run's work area, in groups of about equal size."""
    work, count = run_work(run), min(max_groups, len(plans))
    groups = []
    for number in range(count):
        members = plans[number * len(plans) // count : (number + 1) * len(plans) // count]
        prefix = f"{work}/retention-{number:05d}-"
        parts = await write_rows(store, prefix, members)
        groups.append(PlanGroup(prefix=prefix, parts=parts, label=label_of([plan.source for plan in members])))
    return groups


async def read_plans(store: BlobStore, group: PlanGroup) -> list[SourcePlan]:
    """The plans of a group."""
    return [plan async for plan in read_parts(store, group.prefix, SourcePlan, parts=group.parts)]


def _wanted(source: Source, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatchcase(str(source), glob) for glob in globs)
