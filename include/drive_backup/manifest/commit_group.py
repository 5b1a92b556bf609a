"""Commit the snapshots of one group: each has a manifest of its own, and one that fails does not hide the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from include.drive_backup.errors import DriveBackupError
from include.drive_backup.groups import Committed, SourceGroup
from include.drive_backup.handover import PlanRef, SourceTask
from include.drive_backup.journal import Journal, each_once, read_journal
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.point import Possession, Unlocked
from include.drive_backup.manifest.sound import is_sound
from include.drive_backup.ports import BlobStore, Clock

#: Sources that one task commits at once.
AT_ONCE = 4

#: Holds a source while it is committed.
Hold = Callable[[SourceTask], AbstractAsyncContextManager[Possession]]


@asynccontextmanager
async def _unlocked(_: SourceTask) -> AsyncIterator[Possession]:
    yield Unlocked()


async def commit_group(
    store: BlobStore,
    place: str,
    group: SourceGroup,
    plans: Sequence[PlanRef],
    clock: Clock,
    software_version: str,
    hold: Hold = _unlocked,
) -> tuple[list[dict[str, Any]], list[DriveBackupError]]:
    """Commit what an earlier try has not committed completely, or what is not in the container any more.

    :param place: of the run's plan in the work area.
    :param hold: holds the lock of a source.
    :return: the summaries of all that is committed, and what went wrong with the others.
    """
    async with Journal(store, _journal(place, group), Committed, clock) as journal:

        async def do(plan: PlanRef) -> Committed:
            async with hold(plan.listing.task) as lock:
                summary = await commit_snapshot(store, plan, clock, software_version, lock)
            return Committed(source=plan.listing.task.source, summary=summary)

        await _forget_damaged(store, journal)
        tasks = [(plan.listing.task.source, plan) for plan in plans]
        errors = await each_once(journal, tasks, do, at_once=AT_ONCE)
        if not errors:
            await journal.finish()
        return [row.summary for row in journal.rows.values()], errors


async def _forget_damaged(store: BlobStore, journal: Journal[Committed]) -> None:
    """Take what an earlier try committed, and what was lost since, for not committed."""
    room = asyncio.Semaphore(AT_ONCE)

    async def damaged(row: Committed) -> bool:
        async with room:
            return not await is_sound(store, row.summary["manifest"])

    rows = list(journal.rows.values())
    found = await asyncio.gather(*map(damaged, rows))
    await journal.forget([row.source for row, bad in zip(rows, found, strict=True) if bad])


async def read_committed(store: BlobStore, place: str, groups: Sequence[SourceGroup]) -> list[dict[str, Any]]:
    """The summaries of all that was committed of a plan."""
    room = asyncio.Semaphore(16)

    async def one(group: SourceGroup) -> list[Committed]:
        async with room:
            return await read_journal(store, _journal(place, group), Committed)

    return [row.summary for rows in await asyncio.gather(*map(one, groups)) for row in rows]


def sums(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several summaries come to, for XCom: sources by status, items, and counts and bytes by outcome."""
    statuses = Counter(str(summary["status"]) for summary in summaries)
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for summary in summaries:
        counts.update(summary["counts"])
        sizes.update(summary["bytes"])
    return {
        "sources": len(summaries),
        **statuses,
        "items": sum(summary["items"] for summary in summaries),
        "counts": dict(counts),
        "bytes": dict(sizes),
    }


def _journal(place: str, group: SourceGroup) -> str:
    return f"{place}/committed/{group.number:05d}/"
