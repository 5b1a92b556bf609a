"""Orders into batches of about equal cost. Pure and deterministic."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from include.drive_backup.model import SourceTask

Order = TypeVar("Order")

#: What one file costs whatever its size, in bytes: request latencies and quota units, at a typical 5 MB/s per stream.
FILE_COST = 1_000_000


class Sized(NamedTuple, Generic[Order]):
    """Something to copy, and its size in bytes (0 when unknown)."""

    order: Order
    size: int
    key: str


Load = tuple[int, int, SourceTask]


class _Batch(Generic[Order]):
    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.bytes = 0

    def take(self, sized: Sized[Order]) -> int:
        self.orders.append(sized.order)
        self.bytes += sized.size
        return len(self.orders) * FILE_COST + self.bytes


def make_batches(
    orders: Sequence[Sized[Order]], *, batch_files: int, batch_bytes: int, max_batches: int
) -> list[list[Order]]:
    """Spread orders over batches.

    Each order goes to the cheapest batch. When that one has no room, a further batch is opened; once there are
    ``max_batches``, batches grow instead. A file larger than ``batch_bytes`` has a batch of its own while there are
    batches left.

    :param orders: ``key`` breaks ties of size, so that the same orders always make the same batches.
    :param batch_files: orders that a batch should have at most.
    :param batch_bytes: bytes that a batch should have at most.
    :param max_batches: batches that there may be.
    """
    if not orders:
        return []
    total = sum(sized.size for sized in orders)
    wanted = _wanted(len(orders), total, batch_files, batch_bytes)
    batches: list[_Batch[Order]] = [_Batch() for _ in range(min(wanted, max_batches, len(orders)))]
    queue = [(0, number) for number in range(len(batches))]
    for sized in sorted(orders, key=lambda sized: (-sized.size, sized.key)):
        number = queue[0][1]
        batch = batches[number]
        fits = not batch.orders or (len(batch.orders) < batch_files and batch.bytes + sized.size <= batch_bytes)
        if not fits and len(batches) < max_batches:
            batches.append(_Batch())
            heapq.heappush(queue, (batches[-1].take(sized), len(batches) - 1))
        else:
            heapq.heapreplace(queue, (batch.take(sized), number))
    return [batch.orders for batch in batches]


def share_batches(loads: Sequence[Load], max_batches: int) -> list[int]:
    """How many batches each source may have, by what it would need if all of it had to be copied; at least one.

    :param loads: of each source, items, bytes, and its task, which says how large a batch should be.
    """
    spare = max(0, max_batches - len(loads))
    beyond = [_wanted(items, size, task.batch_files, task.batch_bytes) - 1 for items, size, task in loads]
    total = sum(beyond)
    return [1 + (spare * each // total if total else 0) for each in beyond]


def _wanted(files: int, size: int, batch_files: int, batch_bytes: int) -> int:
    return max(math.ceil(files / batch_files), math.ceil(size / batch_bytes), 1)
