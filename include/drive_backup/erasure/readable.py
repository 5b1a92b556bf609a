"""What would be erased, what was, and what is left, as a person reads it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from include.drive_backup.erasure.elsewhere import OVER_DAYS, Mention, Trace
from include.drive_backup.erasure.model import ErasePlan, Erasure, Shared
from include.drive_backup.erasure.relying import Corrected
from include.drive_backup.erasure.run import Elsewhere
from include.drive_backup.model import counted
from include.drive_backup.retention.readable import amount

#: Said in every dry run and after every erasure.
COMES_BACK = (
    "The next backup stores it again if Drive still has it and the job still selects it: delete it in Drive, or take "
    "it out of the job's sources or filters first."
)
#: What no command of ours can reach.
OUT_OF_REACH = (
    "Not searched: deleted or older states that the storage account keeps (soft delete, versions, Blob snapshots), "
    "copies of the container, files that were restored, Airflow's logs and database, and events that were sent."
)
#: Said with what was searched for.
_SEARCHED = (
    "Searched were the snapshots of other sources, and what runs left behind, but not work areas of other sources "
    "(these go after leftover_days), names of stored content, holds and records. Searched for:"
)
#: Why traces stay, by the first part of their names.
_STAYS = {
    "work": (
        f"its run may still wait for an approval. Erase again after {OVER_DAYS} days without a change, "
        "or wait for retention, which deletes it after leftover_days."
    ),
    "quota": "retention deletes it when it is old enough (leftover_days).",
    "outbox": "an event may not be sent yet. Any run sends it when the hub is back; retention never deletes it.",
    "people": (
        "it says whose source is whose, and retention never deletes it. If only the earlier blobs name the person, "
        "delete all but the last one."
    ),
}
_SHOWN = 10


def plan_lines(plan: ErasePlan) -> list[str]:
    """What would be erased of one source."""
    return [*_plan(plan), *root_lines(plan), *_stays(plan), *_relying(plan)]


def _plan(plan: ErasePlan) -> Iterator[str]:
    if plan.empty and plan.is_root:
        return
    if plan.empty and not plan.unreadable:
        yield f"{plan.source}: nothing of it is here."
    else:
        what = "would be deleted" if plan.item is None else f"would be written again without {plan.item}"
        yield f"{plan.source}: {counted(len(plan.snapshots), 'snapshot')} {what}"
        yield from _snapshots(plan)
        yield f"  content: {amount(plan.content)} would be deleted"
        yield f"  work areas of its runs: {amount(plan.work)} would be deleted, so the next run lists everything"
        yield f"  parts of no snapshot: {amount(plan.parts)} would be deleted"
        yield f"  records of damage and the like: {amount(plan.records)} would be deleted"


def root_lines(plan: ErasePlan) -> list[str]:
    """That the item is what a source starts at, which is no item of it."""
    if not plan.is_root:
        return []
    return [f"{plan.item} is the folder that {plan.source} starts at: to erase that, erase the source."]


def _relying(plan: ErasePlan) -> Iterator[str]:
    for by in plan.relying:
        yield f"  {by} says that items shared with its user are here: it would say that they were erased."


def _snapshots(plan: ErasePlan) -> Iterator[str]:
    for found in plan.snapshots:
        of_item = "" if plan.item is None else f": {counted(found.items, 'item')}"
        of_item += f", {found.left} of what left" if found.left else ""
        kept = f"  STAYS AS IT IS: {', '.join(found.kept_by)}" if found.kept_by else ""
        yield f"  {found.key}{of_item}{kept}"


def _stays(said: ErasePlan | Erasure) -> Iterator[str]:
    yield from _shared(said.shared)
    for key, why in said.unreadable.items():
        yield f"  {key} CANNOT BE READ, so nobody knows what it has: {why}"
    for key, ids in said.unknown.items():
        yield (
            f"  {key} MAY STILL NAME what left {said.item}: the snapshot before it is gone, and so is the path that "
            f"the folder had there. Look at its table of what left ({', '.join(ids)} …), and erase by id what was in "
            "the folder."
        )
    if said.blocked:
        yield f"  NO CONTENT GOES: {said.blocked}"


def _shared(shared: Sequence[Shared]) -> Iterator[str]:
    for each in shared[:_SHOWN]:
        yield (
            f"  content STAYS, since {', '.join(each.items)} has the same bytes; the blob's name and metadata are of "
            f"whoever had them first: {each.blob}"
        )
    if len(shared) > _SHOWN:
        yield f"  … and {len(shared) - _SHOWN} more that other items share"


def done_lines(done: Erasure, corrected: Sequence[Corrected]) -> list[str]:
    """What was erased of one source, and what was not, and why."""
    return [*_done(done), *_corrected(corrected)]


def _done(done: Erasure) -> Iterator[str]:
    what = "deleted" if done.item is None else f"written again without {done.item}"
    yield f"{done.source}: {counted(len(done.snapshots), 'snapshot')} {what}"
    yield f"  content: {amount(done.content)} deleted"
    yield f"  work areas: {amount(done.work)}; parts: {amount(done.parts)}; records: {amount(done.records)}; deleted"
    yield from _stays(done)
    for key in done.kept:
        yield f"  {key} STAYS AS IT IS: it is held or read now. End that (`drive-backup release`), and erase again."
    for reason, count in sorted(Counter(done.refused).items()):
        yield f"  KEPT by Blob Storage: {counted(count, 'blob')}, {reason}"
    if done.earlier:
        yield (
            "  The storage account KEEPS deleted or older states of blobs (soft delete, versions or Blob snapshots), "
            "of what was erased, too: whoever may undelete can read it until the account's days are over, or somebody "
            "deletes these states."
        )
    yield f"  On record, with this source's name: {done.record}"


def _corrected(corrected: Sequence[Corrected]) -> Iterator[str]:
    for each in corrected:
        yield f"  {each.source}: {counted(len(each.snapshots), 'snapshot')} corrected"
        for key in each.kept:
            yield f"  {each.source} {key} STILL SENDS PEOPLE HERE: it is held or read now."
        for why in each.refused:
            yield f"  {each.source} STILL SENDS PEOPLE HERE: {why}"


def elsewhere_lines(found: Elsewhere, *, applied: bool) -> list[str]:
    """What else in the container names the person or the item, and where that was searched."""
    lines = [*(_mention(each) for each in found.mentions), *(_trace(each, applied=applied) for each in found.traces)]
    if found.twin is not None:
        lines.append(
            f"{found.twin.source} is of the same person, and has {counted(found.twin.snapshots, 'snapshot')}. It "
            f"STAYS: `drive-backup erase {found.twin.source}` erases it."
        )
    if found.flaw is not None:
        lines.append(f"Of the person only the name of the source was searched for: {found.flaw}")
    return [*(lines or ["Nothing else that was searched names it."]), f"{_SEARCHED} {', '.join(found.searched)}"]


def _mention(found: Mention) -> str:
    said = f"ALSO NAMED in {counted(found.snapshots, 'snapshot')} of {found.source}"
    if found.items:
        said += f", by the rows of {counted(found.items, 'item')} ({', '.join(found.examples)})"
    if found.unreadable:
        said += f"; {', '.join(found.unreadable)} cannot be searched"
    return f"{said}. These stay; `drive-backup erase --item ID` erases one of them."


def _trace(found: Trace, *, applied: bool) -> str:
    said = f"{found.prefix}: {counted(found.blobs, 'blob')}, the last of {found.written}, may name it;"
    if found.over:
        return (
            f"{said} {'deleted' if applied else 'would be deleted'}, as nothing was written there for {OVER_DAYS} days."
        )
    return f"{said} STAYS: {_STAYS[found.prefix.split('/')[0]]}"
