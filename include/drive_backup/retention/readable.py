"""The plan and its result as a person reads them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from include.drive_backup.model import counted, human_bytes
from include.drive_backup.printing import one_line
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.plan import SourcePlan
from include.drive_backup.retention.rules import Candidate
from include.drive_backup.retention.tiers import Moves

if TYPE_CHECKING:
    from include.drive_backup.retention.apply import Applied


def plan_text(plans: Iterable[SourcePlan]) -> str:
    """A block per source: each snapshot with its reasons, then what goes."""
    return "\n\n".join("\n".join(map(one_line, _plan(plan))) for plan in plans) or "There is no snapshot."


def _plan(plan: SourcePlan) -> Iterator[str]:
    if plan.failed is not None:
        yield f"{plan.source}: CANNOT BE PLANNED, so nothing of it goes: {plan.failed}"
        return
    yield f"{plan.source}: {counted(len(plan.goes), 'snapshot')} of {len(plan.verdicts)} would go"
    keys = [*(verdict.snapshot.name for verdict in plan.verdicts), *plan.damaged, *plan.unreadable]
    alone = len({key.partition("/")[0] for key in keys}) == 1
    for verdict in plan.verdicts:
        word = "keep  " if verdict.kept else "forget"
        reasons = ", ".join(verdict.reasons) or "no rule keeps it"
        status = _status(verdict.snapshot)
        yield f"  {word}  {_shown(verdict.snapshot.name, alone=alone)}  {status}{reasons}"
    for damaged, what in ((plan.damaged, "manifest"), (plan.unreadable, "catalogue")):
        for key in damaged:
            yield f"  keep    {_shown(key, alone=alone)}  its {what} cannot be read"
    yield f"  catalogues: {amount(plan.parts)} would go"
    yield f"  content: {amount(plan.unused)} of {amount(plan.content)} would go"
    yield from moves_text(plan.moves, "would move")
    if plan.blocked:
        yield f"  NO CONTENT GOES: {plan.blocked}"
    for reason in plan.brakes:
        yield f"  STOP: {reason}"


def question_text(plan: SourcePlan) -> str:
    """What somebody agrees to: every snapshot that goes, how much goes with them, and why this is asked."""
    lines = [f"{plan.source}: {counted(len(plan.goes), 'snapshot')} of {len(plan.verdicts)} would be deleted"]
    lines += [f"  delete  {_shown(key, alone=False)}" for key in plan.goes]
    lines += [f"  catalogues: {amount(plan.parts)}", f"  content: {amount(plan.unused)} of {amount(plan.content)}"]
    return "\n".join([*lines, *(f"  WHY THIS IS ASKED: {reason}" for reason in plan.brakes)])


def _status(snapshot: Candidate) -> str:
    said = ["partial"] if snapshot.status != "complete" else []
    said += ["made late"] if snapshot.late else []
    said += [f"{counted(snapshot.damaged, 'content')} damaged"] if snapshot.damaged else []
    return "".join(f"{each}; " for each in said)


def _shown(key: str, *, alone: bool) -> str:
    """The snapshot's id, with its series where the source has several."""
    series, _, ident = key.partition("/")
    if "~" in series:
        return f"{key} (selected by hand)"
    return ident if alone else key


def applied_text(results: Sequence[Applied]) -> str:
    """What was deleted, and what was not, and why."""
    return "\n\n".join("\n".join(map(one_line, _applied(result))) for result in results) or "Nothing was deleted."


def _applied(result: Applied) -> Iterator[str]:
    yield f"{result.source}: {counted(len(result.forgotten), 'snapshot')} deleted"
    yield f"  catalogues: {amount(result.parts)} deleted"
    yield f"  content: {amount(result.content)} deleted"
    yield from moves_text(result.moved, "moved")
    if result.leftovers.blobs:
        yield f"  left over from old runs: {amount(result.leftovers)} deleted"
    if result.blocked:
        yield f"  NO CONTENT DELETED: {result.blocked}"
    if result.held:
        yield f"  kept, because they are held or read by now: {', '.join(result.held)}"
    for reason, refused in sorted(Counter(result.refused).items()):
        yield f"  kept by Blob Storage: {counted(refused, 'blob')}, {reason}"
    yield from unmoved_text(result.unmoved)


def moves_text(moves: Moves, word: str) -> Iterator[str]:
    """A line for each tier that something moves to."""
    for tier, what in moves.items():
        yield f"  content: {amount(what)} {word} to the {tier} tier"


def unmoved_text(reasons: Sequence[str]) -> Iterator[str]:
    """A line for each reason for which something was not moved."""
    for reason, refused in sorted(Counter(reasons).items()):
        yield f"  not moved by Blob Storage: {counted(refused, 'blob')}, {reason}"


def amount(of: Amount) -> str:
    """``2 blobs, 1.2 MB``."""
    return f"{counted(of.blobs, 'blob')}, {human_bytes(of.bytes)}"
