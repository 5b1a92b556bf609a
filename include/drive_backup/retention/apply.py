"""Delete what the plan says, under the lock of the source, in an order that may be broken off at any moment.

First the manifests: without it a snapshot does not exist, so none ever refers to what is missing. Then its catalogue.
Then, after another look at all that is left, the content to which nothing refers. What stays may move to a cooler tier.
Before all that, each place where a run could still commit is made void.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from include.drive_backup.errors import ApprovalNeededError, PermanentError
from include.drive_backup.journal import Record
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.void import void_uncommitted
from include.drive_backup.model import Source, Tier
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.protection import forget_expired
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.deletion import Deletion
from include.drive_backup.retention.leftovers import clean_source
from include.drive_backup.retention.plan import SourcePlan, plan_source
from include.drive_backup.retention.rules import Policy
from include.drive_backup.retention.tiers import move_content

_SEE = "Run retention again, look at the plan, and approve it."


class Applied(Record, frozen=True):
    """What was deleted of one source, and what was moved.

    :param forgotten: snapshots, as ``<series>/<id>``.
    :param moved: content that is in a cooler tier now.
    :param held: ids of snapshots that were to go and did not, because they are held or read by now.
    :param refused: for each blob that Blob Storage would not delete, why.
    :param unmoved: for each blob that Blob Storage would not move, why.
    :param blocked: why no content was deleted.
    """

    forgotten: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    parts: Amount = Amount()
    content: Amount = Amount()
    leftovers: Amount = Amount()
    moved: dict[Tier, Amount] = {}
    refused: tuple[str, ...] = ()
    unmoved: tuple[str, ...] = ()
    blocked: str | None = None


def oldest_first(keys: Sequence[str]) -> list[str]:
    """Snapshots of several series by instant."""
    return sorted(keys, key=lambda key: key.rpartition("/")[2])


async def apply_source(
    store: BlobStore,
    agreed: SourcePlan,
    policy: Policy,
    lock: SourceLock,
    clock: Clock,
    *,
    approved: bool = False,
    leftover_days: float | None = None,
    stop: asyncio.Event | None = None,
) -> Applied:
    """Delete what was agreed on and still may go.

    :param agreed: the plan that a person or the rules agreed to: no other snapshot goes.
    :param approved: a person has agreed to what the plan says, for the reasons that it says.
    :param leftover_days: clean work areas of runs that are older; None: leave them.
    :raises PermanentError: the source could not be planned.
    :raises SourceBusyError: another run has the source, or all of it is being verified.
    :raises ApprovalNeededError: much more would go than was agreed to; look at the plan.
    """
    if agreed.failed is not None:
        raise PermanentError(f"{agreed.source} could not be planned, so nothing was deleted of it: {agreed.failed}")
    source = Source.parse(agreed.source)
    deletion = Deletion(store, source, lock, clock, stop or asyncio.Event())
    lock.will_delete()
    async with holding(lock, clock, give_back=True):
        await deletion.look()
        plan = await plan_source(store, source, policy, agreed.needs)
        shown = agreed.brakes if approved else ()
        if stops := [str(brake) for brake in plan.brakes if not brake.covered(shown)]:
            raise ApprovalNeededError(f"{agreed.source}: nothing was deleted. {' '.join(stops)} {_SEE}")
        if not policy.keep.empty:
            await void_uncommitted(store, source, lock.ensure)
        forgotten = await deletion.forget([key for key in oldest_first(plan.goes) if key in agreed.goes])
        parts = await deletion.parts(forgotten, policy)
        content, blocked = await deletion.content(policy)
        parts += await deletion.marks(policy)
        moved = await move_content(store, source, policy.tiers, lock.confirm, stop)
        cleaned = Amount() if leftover_days is None else await clean_source(store, source, leftover_days, lock)
        await forget_expired(store, source, lock.ensure)
    return Applied(
        source=agreed.source,
        forgotten=tuple(forgotten),
        held=tuple(deletion.held),
        parts=parts,
        content=content,
        leftovers=cleaned,
        moved=moved.moves,
        refused=tuple(deletion.refused),
        unmoved=moved.refused,
        blocked=blocked,
    )
