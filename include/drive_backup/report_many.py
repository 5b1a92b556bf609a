"""The report of a run of many sources: sums first, then only what a person must read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from include.drive_backup.groups import Listed
from include.drive_backup.handover import PlanRef
from include.drive_backup.model import human_bytes

#: More sources than this are summed up, and only those with problems have a block of their own.
MANY = 25

_OUTCOMES = ("copied", "unchanged", "known", "unavailable", "failed")


def overview(summaries: Sequence[Mapping[str, Any]], missed: Sequence[Listed]) -> list[str]:
    """How many sources are complete, and what was saved of all of them."""
    statuses, counts, sizes = Counter[str](), Counter[str](), Counter[str]()
    for summary in summaries:
        statuses[summary["status"]] += 1
        counts.update(summary["counts"])
        sizes.update(summary["bytes"])
    outcomes = Counter(row.outcome for row in missed)
    saved = [
        f"{counts[name]:,} {name} ({human_bytes(sizes[name])})" if sizes[name] else f"{counts[name]:,} {name}"
        for name in _OUTCOMES
        if counts[name]
    ]
    title = f"{len(summaries) + len(missed):,} sources: {statuses['complete']:,} complete, "
    title += f"{statuses['partial']:,} partial, {outcomes['left_out']:,} left out, {outcomes['failed']:,} not listed"
    return [
        title,
        f"  items         {', '.join(saved) or 'no file contents'}",
        "  Only sources that are not complete, or lack something, follow.",
    ]


def dry_runs(plans: Sequence[PlanRef]) -> list[str]:
    """What a dry run of many sources would copy."""
    files, size = sum(plan.copy_files for plan in plans), sum(plan.copy_bytes for plan in plans)
    batches = sum(plan.batches for plan in plans)
    return [
        f"{len(plans):,} sources: DRY RUN, nothing was copied",
        f"  would copy    {files:,} content versions, {human_bytes(size)}, in {batches:,} batches",
    ]


def not_listed(missed: Sequence[Listed]) -> list[str]:
    """One line for each source that was found or named and has no snapshot of this run."""
    words = {"left_out": "LEFT OUT", "failed": "NOT LISTED"}
    rows = sorted(missed, key=lambda row: (row.outcome, row.reason, row.source))
    title = f"{len(missed):,} sources without a snapshot of this run:"
    return [title, *(f"  {row.source}: {words[row.outcome]} ({row.reason}): {row.message}" for row in rows)]
