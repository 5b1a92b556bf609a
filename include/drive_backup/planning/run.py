"""Plan all sources of a run, and write the plans down by group."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence

from include.drive_backup.cost import Expectation
from include.drive_backup.groups import SourceGroup, write_rows
from include.drive_backup.handover import Listing, PlanRef
from include.drive_backup.listing_group import read_listed
from include.drive_backup.planning.copies import CopyTask, write_copies
from include.drive_backup.planning.homes import load_homes
from include.drive_backup.planning.plan import FindBase, plan_sources
from include.drive_backup.planning.shards import Pace
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.work import read_parts

log = logging.getLogger(__name__)


async def plan_run(
    store: BlobStore,
    groups: Sequence[SourceGroup],
    *,
    export_formats: Mapping[str, Sequence[str]],
    max_batches: int,
    clock: Clock,
    find_base: FindBase,
    expected: Expectation | None = None,
) -> tuple[str, list[CopyTask]]:
    """Plan what was listed.

    :param groups: of the run; there is at least one.
    :param max_batches: copy tasks that there may be.
    :return: where the plans are, for :func:`read_plans`, and the tasks that copy; none for sources of a dry run.
    """
    # A plan that is made again never mixes with what another try wrote.
    place = f"{groups[0].work}/plan-{secrets.token_hex(6)}"
    found = await read_listed(store, groups)
    listed = {number: [row.listing for row in rows if row.listing is not None] for number, rows in found.items()}
    listings = [listing for each in listed.values() for listing in each]
    plans, batches = await plan_sources(
        store,
        listings,
        export_formats=export_formats,
        max_batches=max_batches,
        clock=clock,
        find_base=find_base,
        expected=expected,
        homes=await load_homes(store, [row for rows in found.values() for row in rows]),
    )
    await _write_plans(store, place, listed, plans)
    real = [each for each in batches if not each.task.dry_run]
    copies = await write_copies(store, place, real, max_batches, Pace.expected(expected or Expectation()))
    log.info("%d of %d sources planned; %d tasks copy", len(plans), sum(each.sources for each in groups), len(copies))
    return place, copies


async def read_plans(store: BlobStore, place: str, group: SourceGroup) -> list[PlanRef]:
    """The plans of a group's sources; those that were not listed, or not planned, have none."""
    return [plan async for plan in read_parts(store, _prefix(place, group.number), PlanRef)]


async def read_all_plans(store: BlobStore, place: str, groups: Sequence[SourceGroup]) -> list[PlanRef]:
    """The plans of all sources."""
    room = asyncio.Semaphore(16)

    async def one(group: SourceGroup) -> list[PlanRef]:
        async with room:
            return await read_plans(store, place, group)

    return [plan for plans in await asyncio.gather(*map(one, groups)) for plan in plans]


async def _write_plans(
    store: BlobStore, place: str, listed: Mapping[int, Sequence[Listing]], plans: Sequence[PlanRef]
) -> None:
    by_source = {plan.listing.task.source: plan for plan in plans}
    for number, listings in listed.items():
        rows = [by_source[listing.task.source] for listing in listings if listing.task.source in by_source]
        await write_rows(store, _prefix(place, number), rows)


def _prefix(place: str, number: int) -> str:
    return f"{place}/plans-{number:05d}-"
