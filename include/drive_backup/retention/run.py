"""The retention of a whole container as a run of many tasks: plans are written down by group, and applied by group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import DriveBackupError, PermanentError
from include.drive_backup.groups import label_of, run_work, write_rows
from include.drive_backup.journal import raise_together
from include.drive_backup.manifest.void import committed_names
from include.drive_backup.model import Source, Struct, counted
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.plan import SourcePlan, plan_source, reliance_of
from include.drive_backup.retention.reliance import Reliance, relies
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.work import read_parts

log = logging.getLogger(__name__)

#: Sources that are looked at at once; each needs memory for the fingerprints of its content.
_AT_ONCE = 4


class PlanGroup(Struct, frozen=True):
    """Some of a run's plans: what one task applies. Small, for XCom."""

    prefix: str
    parts: int
    label: str


async def plan_all(store: BlobStore, settings: RetentionSettings, globs: Sequence[str] = ()) -> list[SourcePlan]:
    """Plan every source of a container that has a snapshot, each by itself: one that fails has a plan that says why.

    :param globs: only these sources; none: all.
    :raises DriveBackupError: not one of them could be planned.
    """
    names: dict[Source, list[SnapshotName]] = {}
    for name in await committed_names(store, "snapshots/"):
        names.setdefault(name.source, []).append(name)
    room, errors = asyncio.Semaphore(_AT_ONCE), list[DriveBackupError]()

    async def one(source: Source, needs: Sequence[Reliance] = ()) -> SourcePlan:
        async with room:
            try:
                its = [each for each in needs if each.may_need(str(source))]
                return await _plan(store, source, settings, its)
            except DriveBackupError as error:
                errors.append(error)
                return SourcePlan(source=str(source), failed=str(error))

    async def reliance(source: Source) -> list[Reliance]:
        async with room:
            return await _relies(store, source, names[source])

    wanted = {source: _wanted(source, globs) for source in sorted(names, key=str)}
    shared = [source for source in wanted if source.kind == "shared"]
    plans = await asyncio.gather(*(one(source) for source in shared if wanted[source]))
    needs = [each for plan in plans if plan.failed is None for each in plan.relies]
    unknown = {*shared} - {Source.parse(plan.source) for plan in plans if plan.failed is None}
    for found in await asyncio.gather(*map(reliance, sorted(unknown, key=str))):
        needs += found
    others = (one(source, needs) for source in wanted if wanted[source] and source.kind != "shared")
    plans += await asyncio.gather(*others)
    if len(errors) == len(plans):
        # The container itself cannot be read, perhaps for a while.
        raise_together(errors, f"None of {counted(len(plans), 'source')} could be planned")
    return sorted(plans, key=lambda plan: plan.source)


async def _plan(store: BlobStore, source: Source, settings: RetentionSettings, needs: Sequence[Reliance]) -> SourcePlan:
    try:
        return await plan_source(store, source, settings.policy(str(source)), needs)
    except DriveBackupError:
        raise
    except Exception as error:
        # One source that is odd in a way that nobody thought of must not keep all others from their retention.
        log.exception("%s cannot be planned.", source)
        raise PermanentError(f"An unexpected error, {error!r}; the log has more.") from error


async def _relies(store: BlobStore, source: Source, names: Sequence[SnapshotName]) -> list[Reliance]:
    """What the snapshots of a source need of others; of what cannot be read, anything."""
    try:
        return await reliance_of(store, source)
    except DriveBackupError as error:
        log.warning("What the snapshots of %s need cannot be read, so all of their instants stay: %s", source, error)
        return list(relies(source, [], names))


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
