"""Erase one source or one item from a whole container: plan all sources, then do each under its own lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from include.drive_backup.erasure.apply import erase
from include.drive_backup.erasure.elsewhere import (
    Mention,
    Trace,
    delete_traces,
    find_mentions,
    find_traces,
    sources_with_anything,
)
from include.drive_backup.erasure.model import ErasePlan, Erasure, Who
from include.drive_backup.erasure.naming import quoted
from include.drive_backup.erasure.relying import Corrected, correct
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore, Clock, RepairStore
from include.drive_backup.retention.amount import Amount

MakeLock = Callable[[Source], SourceLock]


class Elsewhere(Struct, frozen=True):
    """What else names the person or the item.

    :param traces: what runs left behind. ``deleted``: of those that are over.
    """

    mentions: tuple[Mention, ...] = ()
    traces: tuple[Trace, ...] = ()
    deleted: Amount = Amount()


async def sources_for(store: BlobStore, source: Source | None) -> list[Source]:
    """Where to look: in the source that a person names, or for an item in all of them."""
    return [source] if source is not None else await sources_with_anything(store)


async def erase_one(
    store: RepairStore, plan: ErasePlan, who: Who, make_lock: MakeLock, clock: Clock
) -> tuple[Erasure, list[Corrected]]:
    """Erase what was planned of one source, and correct what other sources say of it.

    :raises SourceBusyError: another run has the source.
    """
    source = Source.parse(plan.source)
    done = await erase(store, source, plan.item, who, make_lock(source), clock)
    corrected = list[Corrected]()
    if plan.item is None and not await SnapshotRepository(store).names(source):
        for other in dict.fromkeys(by.partition(" ")[0] for by in plan.relying):
            other_source = Source.parse(other)
            lock = make_lock(other_source)
            corrected.append(await correct(store, other_source, source, done.record, lock, clock))
    return done, corrected


async def look_elsewhere(
    store: BlobStore, source: Source | None, item: str | None, paths: list[str], *, delete: bool
) -> Elsewhere:
    """Search the rest of the container.

    :param source: that was erased; None: an item was.
    :param paths: where the item was.
    :param delete: delete what runs that are over left behind.
    """
    text = item if source is None else source.id
    if text is None:
        raise ValueError("Say a source or an item.")
    mentions = [each async for each in _mentions(store, source, text)]
    needles = [text.encode()] if source is not None else [quoted(text), *(quoted(path) for path in paths)]
    traces = await find_traces(store, needles)
    deleted = await delete_traces(store, traces) if delete else Amount()
    return Elsewhere(mentions=tuple(mentions), traces=tuple(traces), deleted=deleted)


async def _mentions(store: BlobStore, source: Source | None, text: str) -> AsyncIterator[Mention]:
    for other in await SnapshotRepository(store).sources():
        if other != source and (found := await find_mentions(store, other, text)) is not None:
            yield found
