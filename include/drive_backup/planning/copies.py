"""Batches into copy tasks: one each while there are few, otherwise several small ones together."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from include.drive_backup.groups import label_of, write_rows
from include.drive_backup.handover import BatchRef
from include.drive_backup.model import Struct, human_bytes
from include.drive_backup.planning.shards import DEFAULT_PACE, Pace
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import read_parts


class CopyTask(Struct, frozen=True):
    """What one mapped task copies: which batches, how many, how much. Small, for XCom."""

    plan: str
    number: int
    of: int
    parts: int
    batches: int
    files: int
    bytes: int
    label: str


async def write_copies(
    store: BlobStore, plan: str, batches: Sequence[BatchRef], max_tasks: int, pace: Pace
) -> list[CopyTask]:
    """Write down which task copies which batches.

    :param plan: the run's plan in the work area.
    """
    packed = pack(batches, max_tasks, pace)
    return [await _write(store, plan, number, len(packed), each) for number, each in enumerate(packed, 1)]


async def read_copies(store: BlobStore, copies: CopyTask) -> list[BatchRef]:
    """The batches of one task."""
    prefix = _prefix(copies.plan, copies.number)
    return [batch async for batch in read_parts(store, prefix, BatchRef, parts=copies.parts)]


def pack(batches: Sequence[BatchRef], max_tasks: int, pace: Pace = DEFAULT_PACE) -> list[list[BatchRef]]:
    """Spread batches over tasks that take about equally long; up to ``max_tasks`` each has its own, in order."""
    if len(batches) <= max_tasks:
        return [[batch] for batch in batches]
    tasks: list[list[BatchRef]] = [[] for _ in range(max_tasks)]
    queue = [(0.0, number) for number in range(max_tasks)]
    for batch in sorted(
        batches, key=lambda batch: (-pace.seconds(batch.files, batch.bytes), batch.task.source, batch.number)
    ):
        seconds, number = queue[0]
        tasks[number].append(batch)
        heapq.heapreplace(queue, (seconds + pace.seconds(batch.files, batch.bytes), number))
    return tasks


def _prefix(plan: str, number: int) -> str:
    return f"{plan}/copies-{number:05d}-"


async def _write(store: BlobStore, plan: str, number: int, of: int, batches: Sequence[BatchRef]) -> CopyTask:
    files, size = sum(batch.files for batch in batches), sum(batch.bytes for batch in batches)
    sources = sorted({batch.task.source for batch in batches})
    label = batches[0].label if len(batches) == 1 else f"{label_of(sources)} · {files} files · {human_bytes(size)}"
    return CopyTask(
        plan=plan,
        number=number,
        of=of,
        parts=await write_rows(store, _prefix(plan, number), batches),
        batches=len(batches),
        files=files,
        bytes=size,
        label=label,
    )
