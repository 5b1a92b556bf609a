"""Orders into batches of about equal cost. Pure and deterministic."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from include.drive_backup.cost import Expectation
from include.drive_backup.handover import SourceTask
from include.drive_backup.pacing import DOWNLOAD_UNITS

Order = TypeVar("Order")

#: Work in seconds that a batch has at least, where there is that much: Airflow takes 1 to 6 s to start a task.
MIN_SECONDS = 90.0
#: Seconds from Drive's first answer to the end of Blob's, for a small file.
_LATENCY = 0.4


class Pace(NamedTuple):
    """What one of the copy tasks that run at once does.

    :ivar file_seconds: for a file, whatever its size: its share of the latencies or of Drive's quota.
    :ivar bytes_per_second: of contents.
    """

    file_seconds: float = 0.3
    bytes_per_second: float = 6e6

    def seconds(self, files: int, size: int) -> float:
        """What so many files of so many bytes together take."""
        return files * self.file_seconds + size / self.bytes_per_second

    @classmethod
    def expected(cls, expected: Expectation) -> Pace:
        """The pace of each task when as many run as may."""
        quota = DOWNLOAD_UNITS * 60 / expected.units_per_minute if expected.units_per_minute else 0.0
        return cls(
            file_seconds=max(_LATENCY / expected.files_in_flight, quota * expected.tasks_at_once),
            bytes_per_second=expected.mb_per_second * 1e6 / expected.tasks_at_once,
        )


DEFAULT_PACE = Pace()


class Sized(NamedTuple, Generic[Order]):
    """Something to copy, and its size in bytes (0 when unknown)."""

    order: Order
    size: int
    key: str


Load = tuple[int, int, SourceTask]


class _Batch(Generic[Order]):
    def __init__(self, pace: Pace) -> None:
        self.orders: list[Order] = []
        self.bytes = 0
        self._pace = pace

    @property
    def seconds(self) -> float:
        return self._pace.seconds(len(self.orders), self.bytes)

    def take(self, sized: Sized[Order]) -> float:
        self.orders.append(sized.order)
        self.bytes += sized.size
        return self.seconds


def make_batches(
    orders: Sequence[Sized[Order]],
    *,
    batch_files: int,
    batch_bytes: int,
    max_batches: int,
    pace: Pace = DEFAULT_PACE,
) -> list[list[Order]]:
    """Spread orders over batches of about equal cost, the dearest first, each with its largest order first.

    There are as many batches as have :data:`MIN_SECONDS` of work, or as the bounds ask for. Each order, the largest
    first, goes to the cheapest batch, so a giant has a batch to itself. When that one has no room, a further batch is
    opened; once there are ``max_batches``, batches grow instead.

    :param orders: ``key`` breaks ties of size, so that the same orders always make the same batches.
    :param batch_files: orders that a batch should have at most.
    :param batch_bytes: bytes that a batch should have at most.
    :param max_batches: batches that there may be.
    :param pace: tells what an order costs.
    """
    if not orders:
        return []
    total = sum(sized.size for sized in orders)
    wanted = _wanted(len(orders), total, batch_files, batch_bytes, pace)
    batches: list[_Batch[Order]] = [_Batch(pace) for _ in range(min(wanted, max_batches, len(orders)))]
    queue = [(0.0, number) for number in range(len(batches))]
    for sized in sorted(orders, key=lambda sized: (-sized.size, sized.key)):
        number = queue[0][1]
        batch = batches[number]
        fits = not batch.orders or (len(batch.orders) < batch_files and batch.bytes + sized.size <= batch_bytes)
        if not fits and len(batches) < max_batches:
            batches.append(_Batch(pace))
            heapq.heappush(queue, (batches[-1].take(sized), len(batches) - 1))
        else:
            heapq.heapreplace(queue, (batch.take(sized), number))
    return [batch.orders for batch in sorted(batches, key=lambda batch: -batch.seconds)]


def share_batches(loads: Sequence[Load], max_batches: int, pace: Pace = DEFAULT_PACE) -> list[int]:
    """How many batches each source may have, by what it would need if all of it had to be copied; at least one.

    :param loads: of each source, items, bytes, and its task, which says how large a batch should be.
    """
    spare = max(0, max_batches - len(loads))
    beyond = [_wanted(items, size, task.batch_files, task.batch_bytes, pace) - 1 for items, size, task in loads]
    total = sum(beyond)
    return [1 + (spare * each // total if total else 0) for each in beyond]


def _wanted(files: int, size: int, batch_files: int, batch_bytes: int, pace: Pace) -> int:
    worth = int(pace.seconds(files, size) / MIN_SECONDS)
    return max(math.ceil(files / batch_files), math.ceil(size / batch_bytes), worth, 1)
