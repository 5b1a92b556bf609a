"""A run's sources in groups, so that a run of ten thousand sources has some hundred tasks.

Airflow maps over at most 1,024 things by default (``max_map_length``), and each mapped task pulls the whole list that
it is mapped over. So tasks hand on references, and the lists lie in the work area of the run::

    work/run/<run>/<token>/group-00001-00000.jsonl.gz    the group's SourceTasks
    work/run/<run>/<token>/left-out-00000.jsonl.gz       what was found and will not be backed up
    work/run/<run>/<token>/group-00001/listed/…          a journal of Listed
    work/run/<run>/<token>/plan-<token>/plans-00001-…    the group's PlanRefs
    work/run/<run>/<token>/plan-<token>/copies-00001-…   the BatchRefs of one copy task
    work/run/<run>/<token>/plan-<token>/committed/00001/…  a journal of Committed
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

from include.drive_backup.blob.names import encode_segment
from include.drive_backup.handover import Listing, SourceTask
from include.drive_backup.journal import Record
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import PartWriter, read_parts

Row = TypeVar("Row", bound=Struct)

#: Characters of a source in the label of a group.
_LABEL = 40


#: Reasons that say for certain that a person left, or is to leave.
SUSPENDED, DELETED = "suspended", "deleted"


class LeftOut(Struct, frozen=True):
    """A source that a pattern found and that is not backed up, and why."""

    source: str
    reason: str
    message: str


class SourceGroup(Struct, frozen=True):
    """Some of a run's sources: what one task lists, and one commits. Small, for XCom."""

    work: str
    number: int
    of: int
    parts: int
    sources: int
    label: str

    @property
    def journal(self) -> str:
        """Where it is recorded what was listed."""
        return f"{self.work}/group-{self.number:05d}/listed/"


class Listed(Record, frozen=True):
    """What became of one source when it was listed. ``listing`` is there exactly when ``outcome`` is ``listed``."""

    outcome: Literal["listed", "left_out", "failed"] = "listed"
    listing: Listing | None = None
    reason: str = ""
    message: str = ""

    @property
    def settled(self) -> bool:
        """Whether a further try leaves it as it is."""
        return self.outcome != "failed"


class Committed(Record, frozen=True):
    """What became of one source when it was committed: the manifest's summary."""

    summary: dict[str, Any]

    @property
    def settled(self) -> bool:
        """Only a complete snapshot of one plan can become no better."""
        return bool(self.summary["status"] == "complete")


def label_of(sources: Sequence[str]) -> str:
    """``12 sources: user/a… to user/k…``; a single source by its name."""
    if len(sources) == 1:
        return sources[0]
    return f"{len(sources)} sources: {_short(min(sources))} to {_short(max(sources))}"


def _short(source: str) -> str:
    return source if len(source) <= _LABEL else f"{source[: _LABEL - 1]}…"


def run_work(run: str) -> str:
    """A new place in the work area for what belongs to the whole run (no trailing slash)."""
    return f"work/run/{encode_segment(run)}/{secrets.token_hex(6)}"


async def write_groups(
    store: BlobStore, work: str, tasks: Sequence[SourceTask], left_out: Iterable[LeftOut], *, max_groups: int
) -> list[SourceGroup]:
    """Deal the sources out to groups of about equal size, and write them down.

    :param work: from :func:`run_work`.
    :param max_groups: up to so many sources have a group each, in the order given; more are sorted by name.
    """
    if len(tasks) > max_groups:
        tasks = sorted(tasks, key=lambda task: task.source)
    count = min(max_groups, len(tasks))
    bounds = [number * len(tasks) // count for number in range(count + 1)]
    await write_rows(store, f"{work}/left-out-", left_out)
    groups = []
    for number, (start, end) in enumerate(itertools.pairwise(bounds), 1):
        members = tasks[start:end]
        parts = await write_rows(store, f"{work}/group-{number:05d}-", members)
        label = label_of([task.source for task in members])
        groups.append(SourceGroup(work=work, number=number, of=count, parts=parts, sources=len(members), label=label))
    return groups


async def read_group(store: BlobStore, group: SourceGroup) -> list[SourceTask]:
    """The sources of a group."""
    prefix = f"{group.work}/group-{group.number:05d}-"
    return [task async for task in read_parts(store, prefix, SourceTask, parts=group.parts)]


async def read_groups(store: BlobStore, groups: Sequence[SourceGroup]) -> list[list[SourceTask]]:
    """The sources of several groups."""
    room = asyncio.Semaphore(16)

    async def one(group: SourceGroup) -> list[SourceTask]:
        async with room:
            return await read_group(store, group)

    return list(await asyncio.gather(*map(one, groups)))


async def read_left_out(store: BlobStore, work: str) -> list[LeftOut]:
    """What was left out when the sources were resolved."""
    return [row async for row in read_parts(store, f"{work}/left-out-", LeftOut)]


async def write_rows(store: BlobStore, prefix: str, rows: Iterable[Row]) -> int:
    """Write rows to a prefix of their own; the number of parts."""
    async with PartWriter[Row](store, prefix) as writer:
        for row in rows:
            await writer.write(row)
    return writer.parts
