"""Erase one source or one item from a whole container: plan all sources, then do each under its own lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from include.drive_backup.erasure.apply import erase
from include.drive_backup.erasure.elsewhere import (
    Mention,
    Trace,
    Twin,
    delete_traces,
    find_mentions,
    find_traces,
    find_twin,
    sources_with_anything,
)
from include.drive_backup.erasure.model import ErasePlan, Erasure, Who
from include.drive_backup.erasure.naming import as_bytes
from include.drive_backup.erasure.relying import Corrected, correct
from include.drive_backup.erasure.texts import Texts, texts_of_item, texts_of_person
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore, Clock, RepairStore
from include.drive_backup.retention.amount import Amount

MakeLock = Callable[[Source], SourceLock]


class Elsewhere(Struct, frozen=True):
    """What else names the person or the item.

    :param traces: what runs left behind. ``deleted``: of those that are over.
    :param twin: the other source of the same person, if there is anything of it.
    :param searched: for what; any of these texts.
    :param flaw: why less was searched for than should be.
    """

    mentions: tuple[Mention, ...] = ()
    traces: tuple[Trace, ...] = ()
    deleted: Amount = Amount()
    twin: Twin | None = None
    searched: tuple[str, ...] = ()
    flaw: str | None = None


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
    texts, flaw = await _texts(store, source, item, paths)
    mentions = [each async for each in _mentions(store, source, texts.in_rows)]
    traces = await find_traces(store, as_bytes(texts.anywhere))
    return Elsewhere(
        mentions=tuple(mentions),
        traces=tuple(traces),
        deleted=await delete_traces(store, traces) if delete else Amount(),
        twin=None if source is None else await find_twin(store, source),
        searched=texts.anywhere,
        flaw=flaw,
    )


async def _texts(
    store: BlobStore, source: Source | None, item: str | None, paths: list[str]
) -> tuple[Texts, str | None]:
    if source is not None:
        return await texts_of_person(store, source)
    if item is None:
        raise ValueError("Say a source or an item.")
    return texts_of_item(item, paths), None


async def _mentions(store: BlobStore, source: Source | None, texts: tuple[str, ...]) -> AsyncIterator[Mention]:
    for other in await SnapshotRepository(store).sources():
        if other != source and (found := await find_mentions(store, other, texts)) is not None:
            yield found
