"""Delete what the plan says, under the lock of the source, in an order that may be broken off at any moment.

First the manifests: without it a snapshot does not exist, so none ever refers to what is missing. Then its catalogue.
Then, after another look at all that is left, the content to which nothing refers. What stays may move to a cooler tier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from include.drive_backup.blob.names import content_prefix, parse_snapshot, snapshots_prefix
from include.drive_backup.errors import ApprovalNeededError, StoppedError
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.model import Source, Struct, Tier
from include.drive_backup.ports import BlobInfo, BlobStore, Clock
from include.drive_backup.retention.amount import Amount, chunks
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.retention.leftovers import clean_source
from include.drive_backup.retention.plan import (
    SourcePlan,
    is_older,
    kept_references,
    plan_source,
    read_manifests,
    snapshot_of,
)
from include.drive_backup.retention.rules import Policy
from include.drive_backup.retention.tiers import move_content


class Applied(Struct, frozen=True):
    """What was deleted of one source, and what was moved.

    :param forgotten: snapshots, as ``<series>/<id>``.
    :param moved: content that is in a cooler tier now.
    :param refused: for each blob that Blob Storage would not delete, why.
    :param unmoved: for each blob that Blob Storage would not move, why.
    :param blocked: why no content was deleted.
    """

    source: str
    forgotten: tuple[str, ...] = ()
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
    :param approved: a person has agreed, so that the brake does not hold.
    :param leftover_days: clean work areas of runs that are older; None: leave them.
    :raises SourceBusyError: another run has the source.
    :raises ApprovalNeededError: much more would go than was agreed to; look at the plan.
    """
    deletion = _Deletion(store, Source.parse(agreed.source), lock, stop or asyncio.Event())
    async with holding(lock, clock, give_back=True):
        plan = await plan_source(store, deletion.source, policy)
        if plan.brakes and not approved:
            raise ApprovalNeededError(f"{agreed.source}: nothing was deleted. {' '.join(plan.brakes)}")
        forgotten = await deletion.forget([name for name in oldest_first(plan.goes) if name in agreed.goes])
        parts = await deletion.parts(forgotten, policy)
        content, blocked = await deletion.content(policy)
        moved = await move_content(store, deletion.source, policy.tiers, lock.confirm, stop)
        cleaned = Amount() if leftover_days is None else await clean_source(store, deletion.source, leftover_days)
    return Applied(
        source=agreed.source,
        forgotten=tuple(forgotten),
        parts=parts,
        content=content,
        leftovers=cleaned,
        moved=moved.moves,
        refused=tuple(deletion.refused),
        unmoved=moved.refused,
        blocked=blocked,
    )


class _Deletion:
    """Deletes of one source, and remembers what could not be deleted."""

    def __init__(self, store: BlobStore, source: Source, lock: SourceLock, stop: asyncio.Event) -> None:
        self.source = source
        self.refused: list[str] = []
        self._store, self._lock, self._stop = store, lock, stop

    async def forget(self, keys: Sequence[str]) -> list[str]:
        """Delete manifests, oldest first; one that is refused is still a snapshot.

        One by one: whoever breaks this off leaves the newer ones.
        """
        done = []
        for key in keys:
            if key in await read_holds(self._store, self.source):
                continue
            manifest = snapshot_of(self.source, key).manifest
            if not (await self._delete([BlobInfo(name=manifest, size=0)])).blobs:
                continue
            done.append(key)
        return done

    async def parts(self, forgotten: Sequence[str], policy: Policy) -> Amount:
        """Delete the catalogues of what is forgotten, and those that were never committed, once past the grace."""
        if policy.keep.empty:
            return Amount()
        blobs = [info async for info in self._store.list(snapshots_prefix(self.source))]
        named = [(parse_snapshot(info.name), info) for info in blobs]
        committed = {name.key for name, info in named if name is not None and info.name == name.manifest}
        before = await self._store.now() - policy.grace
        going = [
            info
            for name, info in named
            if name is not None
            and name.key not in committed
            and (name.key in forgotten or is_older(info.modified, before))
        ]
        return await self._delete(going)

    async def content(self, policy: Policy) -> tuple[Amount, str | None]:
        """Delete what no snapshot that is left refers to, once past the grace; or say why not.

        Nothing goes when nobody has said what to keep.
        """
        if policy.keep.empty:
            return Amount(), None
        manifests, damaged = await read_manifests(self._store, self.source)
        references, blocked = await kept_references(self._store, manifests, damaged)
        done = Amount()
        if blocked is not None:
            return done, blocked
        before = await self._store.now() - policy.grace
        async for some in chunks(self._store.list(content_prefix(self.source))):
            unused = [info for info in some if info.name not in references and is_older(info.modified, before)]
            done += await self._delete(unused)
        return done, None

    async def _delete(self, blobs: Sequence[BlobInfo]) -> Amount:
        if not blobs:
            return Amount()
        if self._stop.is_set():
            raise StoppedError("The task was asked to stop; what is deleted is deleted, the next try goes on.")
        await self._lock.confirm()
        refused = await self._store.delete([info.name for info in blobs])
        self.refused.extend(why.message for why in refused.values())
        gone = [info for info in blobs if info.name not in refused]
        return Amount(blobs=len(gone), bytes=sum(info.size for info in gone))
