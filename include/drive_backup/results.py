"""What a run has left in its work area, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.drive_backup.groups import Listed, SourceGroup, read_groups, read_left_out
from include.drive_backup.handover import PlanRef
from include.drive_backup.listing_group import read_listed
from include.drive_backup.manifest.commit_group import read_committed
from include.drive_backup.planning.run import read_all_plans
from include.drive_backup.ports import BlobStore


@dataclass(frozen=True)
class RunResults:
    """Plans and summaries of the sources, and those that were not planned: left out, or failed.

    ``attempted`` are all that were found and not left out.
    """

    plans: list[PlanRef]
    summaries: list[dict[str, Any]]
    missed: list[Listed]
    attempted: frozenset[str] = frozenset()


async def read_results(store: BlobStore, groups: Sequence[SourceGroup], place: str | None) -> RunResults:
    """Read them.

    :param groups: of the run; none when its sources could not be resolved.
    :param place: of the run's plan; None when there is none.
    """
    if not groups:
        return RunResults([], [], [])
    left_out = [
        Listed(source=row.source, outcome="left_out", reason=row.reason, message=row.message)
        for row in await read_left_out(store, groups[0].work)
    ]
    listed = [row for rows in (await read_listed(store, groups)).values() for row in rows]
    missed = left_out + [row for row in listed if row.outcome != "listed"]
    plans = await read_all_plans(store, place, groups) if place else []
    if place:
        missed += _not_planned(listed, plans)
    found = {task.source for tasks in await read_groups(store, groups) for task in tasks}
    return RunResults(
        plans=plans,
        summaries=await read_committed(store, place, groups) if place else [],
        missed=missed,
        attempted=frozenset(found - {row.source for row in missed if row.outcome == "left_out"}),
    )


def _not_planned(listed: Sequence[Listed], plans: Sequence[PlanRef]) -> list[Listed]:
    """The sources whose listing could not be read again."""
    planned = {plan.listing.task.source for plan in plans}
    message = "It was listed and could not be planned; the log of plan_batches says why. Clear the run to do it anew."
    return [
        Listed(source=row.source, outcome="failed", reason="notPlanned", message=message)
        for row in listed
        if row.outcome == "listed" and row.source not in planned
    ]
