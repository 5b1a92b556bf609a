"""The retention of a whole container as a run of many tasks: plans are written down by group, and applied by group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import DriveBackupError, PermanentError
from include.drive_backup.groups import label_of, run_work, write_rows
from include.drive_backup.journal import raise_together
from include.drive_backup.manifest.void import committed_names
from include.drive_backup.model import Source, Struct, counted
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.approval import are_approved
from include.drive_backup.retention.plan import SourcePlan, plan_source, reliance_of
from include.drive_backup.retention.reliance import Reliance, relies
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.work import read_parts

Result = TypeVar("Result")

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
    planner = _Planner(store, settings, approved=await are_approved(store, settings))
    # First these, for they need snapshots of the others.
    shared = [source for source in names if source.kind == "shared"]
    plans = list(await asyncio.gather(*(planner.plan(source) for source in shared if _wanted(source, globs))))
    known = {plan.source: plan.relies for plan in plans if plan.failed is None}
    more = (planner.relies(source, names[source]) for source in shared if str(source) not in known)
    needs = [each for found in (*known.values(), *await asyncio.gather(*more)) for each in found]
    others = (source for source in names if source.kind != "shared" and _wanted(source, globs))
    plans += await asyncio.gather(*(planner.plan(source, needs) for source in others))
    if len(planner.errors) == len(plans):
        # The container itself cannot be read, perhaps for a while.
        raise_together(planner.errors, f"None of {counted(len(plans), 'source')} could be planned")
    return sorted(plans, key=lambda plan: plan.source)


class _Planner:
    """Plans sources, some at once, and remembers what went wrong."""

    def __init__(self, store: BlobStore, settings: RetentionSettings, *, approved: bool) -> None:
        self.errors: list[DriveBackupError] = []
        self._store, self._settings, self._approved = store, settings, approved
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def plan(self, source: Source, needs: Sequence[Reliance] = ()) -> SourcePlan:
        """The plan of a source, or one that says why there is none."""
        policy = self._settings.policy(str(source), approved=self._approved)
        its = [each for each in needs if each.may_need(str(source))]
        try:
            return await self._expected(source, plan_source(self._store, source, policy, its))
        except DriveBackupError as error:
            self.errors.append(error)
            return SourcePlan(source=str(source), failed=str(error))

    async def relies(self, source: Source, names: Sequence[SnapshotName]) -> Sequence[Reliance]:
        """What the snapshots of a source need of others; of what cannot be read, anything of their instants."""
        try:
            return await self._expected(source, reliance_of(self._store, source))
        except DriveBackupError as error:
            log.warning("What the snapshots of %s need cannot be read: %s", source, error)
            return list(relies(source, [], names))

    async def _expected(self, source: Source, work: Awaitable[Result]) -> Result:
        """Do it; what nobody thought of is an error of this source, so that it keeps no other from its retention.

        :raises DriveBackupError: it failed.
        """
        try:
            async with self._room:
                return await work
        except DriveBackupError:
            raise
        except Exception as error:
            log.exception("%s cannot be planned.", source)
            raise PermanentError(f"An unexpected error, {error!r}; the log has more.") from error


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
