"""What a person is told at the end of a run, and whether the run may call itself good. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.model import PlanRef, human_bytes

_WORDS = {
    "copied": "copied in this run",
    "unchanged": "stored by an earlier run",
    "known": "same bytes stored already for another file",
    "metadata": "without content (folders, shortcuts)",
    "unavailable": "Drive does not give them",
    "failed": "failed",
}
_LEFT_OUT = {
    "trashed": "in the trash",
    "filtered": "left out by the filters",
    "created_later": "created after the instant",
}


def readable(plans: Iterable[Mapping[str, Any]], summaries: Iterable[Mapping[str, Any]]) -> str:
    """The report of a run.

    :param plans: dicts of ``PlanRef``.
    :param summaries: what the commits returned.
    """
    lines = [line for summary in summaries for line in _snapshot(summary)]
    for each in plans:
        plan: PlanRef = PlanRef.from_dict(dict(each))
        if plan.listing.task.dry_run:
            lines += _dry_run(plan)
    return "\n".join(lines or ["Nothing was planned and nothing was committed."])


def verdict(
    plans: Iterable[Mapping[str, Any]], summaries: Sequence[Mapping[str, Any]], *, fail_on_unavailable: bool = False
) -> None:
    """Is this run good?

    :raises SnapshotIncompleteError: a snapshot is partial or missing; or, where that is asked for, Drive refused items.
    """
    committed = {summary["source"]: summary for summary in summaries}
    bad = []
    for each in plans:
        task = PlanRef.from_dict(dict(each)).listing.task
        if not task.dry_run and task.source not in committed:
            bad.append(f"{task.source} has no snapshot")
    for source, summary in committed.items():
        if not summary["listing_complete"]:
            bad.append(f"Drive's listing of {source} was incomplete")
        if failed := summary["counts"].get("failed"):
            bad.append(f"{failed} items of {source} failed")
        refused = summary["counts"].get("unavailable", 0)
        if fail_on_unavailable and refused:
            bad.append(f"Drive refused {refused} items of {source}")
    if bad:
        raise SnapshotIncompleteError(
            f"The backup is not complete: {'; '.join(bad)}. What is stored is good; mend the cause and clear the failed "
            "tasks, or let the next run complete it."
        )


def _snapshot(summary: Mapping[str, Any]) -> list[str]:
    total = human_bytes(sum(summary["bytes"].values()))
    lines = [f"{summary['source']} as of {summary['instant']}: {summary['status']}, {summary['items']} items, {total}"]
    for outcome, words in _WORDS.items():
        if count := summary["counts"].get(outcome):
            size = summary["bytes"].get(outcome)
            lines.append(f"  {count:>9,} {words}" + (f", {human_bytes(size)}" if size else ""))
    for why, count in summary.get("left_out", {}).items():
        lines.append(f"  {count:>9,} not in the snapshot: {_LEFT_OUT.get(why, why)}")
    if later := summary["fidelity"].get("head-later"):
        lines.append(f"  {later:>9,} are newer than the instant: Drive no longer had them as they were")
    for reason, detail in summary.get("reasons", {}).items():
        examples = ", ".join(detail.get("examples", ()))
        lines.append(f"  {detail['count']:>9,} {reason}, e.g. {examples}")
    if not summary["listing_complete"]:
        lines.append("  Drive said that its listing is incomplete; nothing is taken for deleted.")
    if not summary["created"]:
        lines.append("  Nothing differs from the snapshot of this instant, so nothing was stored.")
    return [*lines, f"  {summary['manifest']}"]


def _dry_run(plan: PlanRef) -> list[str]:
    task = plan.listing.task
    return [
        f"Dry run of {task.source} as of {task.instant}: {plan.copy_files:,} content versions "
        f"({human_bytes(plan.copy_bytes)}) would be copied in {plan.batches} batches; nothing was copied.",
        *(f"  {count:>9,} {what}" for what, count in sorted(plan.counts.items())),
    ]
