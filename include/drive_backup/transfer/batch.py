"""The third step of a backup: one batch from Drive to Blob, many files at once.

A failing file is data: it is recorded, and the others go on. A failing credential, container or quota is not: it stops
the batch at once. Either way what is finished stays recorded, and the next try copies only what is missing: it looks
into Blob, so it may run on another worker after this one was killed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from include.drive_backup.errors import DailyQuotaError, StoppedError, TransientError
from include.drive_backup.handover import BatchRef
from include.drive_backup.model import CopyOrder, CopyResult, Source, Tier, human_bytes, parse_instant
from include.drive_backup.pacing import Backoff
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import BlobStore, Clock, Drive
from include.drive_backup.transfer.budget import MemoryBudget
from include.drive_backup.transfer.content import READS, ContentCopier
from include.drive_backup.transfer.details import answers, save_details
from include.drive_backup.transfer.flight import Flight
from include.drive_backup.transfer.job import fidelity_of
from include.drive_backup.transfer.ranges import suits
from include.drive_backup.transfer.trouble import DriveHealth, failed, stops_the_batch
from include.drive_backup.work import ResultLog, batch_prefix, read_parts, read_results, results_prefix

log = logging.getLogger(__name__)

_LARGE_AT_ONCE = 4

Recorded = Mapping[tuple[str, str], CopyResult]
Progress = Callable[[CopyResult], None]


async def copy_batch(
    drive: Drive,
    store: BlobStore,
    batch: BatchRef,
    *,
    clock: Clock,
    in_flight: int,
    memory_bytes: int,
    resume: bool,
    stop: asyncio.Event,
    cleared: bool | None = None,
    tier: Tier | None = None,
    progress: Progress | None = None,
    reads: Backoff = READS,
) -> dict[str, Any]:
    """Copy a batch.

    :param in_flight: files at once at most; it begins with fewer and finds out how many help.
    :param memory_bytes: for the contents of all files in flight; a single file of some TB needs up to 105 MB.
    :param resume: this is not the first try: look what is stored before anything is downloaded.
    :param stop: set it to end the batch soon.
    :param cleared: a person runs it again: what Drive refused, and what is tried once a run, is asked for again. None:
        it is not known; then a batch that was finished counts as cleared.
    :param tier: of the content that is written; None: the account's default.
    :param progress: called with each file's result.
    :param reads: how often one file's bytes are read, and the waits between.
    :return: counts and bytes; when the day's quota is used up, too, for a further try today is no use: what is left
        is recorded as ``failed``. So are files that failed in the run before, too, or that Drive gives to nobody for
        hours: they are tried once.
    :raises TransientError: some other files could not be copied; the next try copies only these.
    :raises StoppedError: ``stop`` was set.
    :raises DriveBackupError: of a kind that concerns more than one file; what is finished is recorded.
    """
    prefix = batch_prefix(batch.plan, batch.number)
    orders = [order async for order in read_parts(store, prefix, CopyOrder, parts=batch.parts)]
    # Largest first: a large file that begins last would keep the task waiting for itself alone.
    orders.sort(key=lambda order: (-(order.item.size or 0), order.item.id, order.format))
    recorded = await _recorded(store, batch, cleared=cleared) if resume else {}
    memory, instant = MemoryBudget(memory_bytes), parse_instant(batch.task.instant)
    copier = ContentCopier(drive, store, clock=clock, instant=instant, memory=memory, tier=tier, reads=reads)
    flight = Flight(clock, in_flight, lambda: drive.strain + store.strain)
    log.info("%s%s", batch.label, ": looking for what is missing" if resume else "")
    async with ResultLog(store, results_prefix(batch.plan, batch.number), secrets.token_hex(6), clock) as results:
        health = DriveHealth(drive, Source.parse(batch.task.source))
        run = _Run(drive, copier, results, recorded, flight, health, resume=resume, progress=progress)
        await run.all(orders, stop)
    return await _conclude(run, drive, store, batch, len(orders))


async def _recorded(store: BlobStore, batch: BatchRef, *, cleared: bool | None) -> Recorded:
    """What earlier tries recorded.

    That Drive refused a file is believed within one task, but not when a person runs a batch again, finished or not:
    the right that was missing may be there now.
    """
    recorded = await read_results(store, results_prefix(batch.plan, batch.number))
    if cleared is None:
        cleared = await store.head(_done_name(batch)) is not None
    if not cleared:
        return recorded
    return {key: result for key, result in recorded.items() if result.outcome == "copied"}


async def _conclude(run: _Run, drive: Drive, store: BlobStore, batch: BatchRef, total: int) -> dict[str, Any]:
    counts = run.counts
    log.info(
        "%s: %d copied, %d were stored already, %d unavailable, %d failed, details of %d; %s downloaded",
        batch.label,
        counts["copied"],
        counts["stored"],
        counts["unavailable"],
        counts["failed"],
        counts["details"],
        human_bytes(run.downloaded),
    )
    if run.day_over is not None:
        log.warning("%s: %d files are left for another day. %s", batch.label, counts["failed"], run.day_over)
    elif run.first_failure is not None:
        raise TransientError(
            f"{counts['failed']} of {total} files could not be copied, the first one because: "
            f"{run.first_failure} The next try copies only what is missing.",
            reason="filesFailed",
        )
    else:
        if counts["failed"]:
            log.warning("%s: %d files keep failing. Each run asks for them once.", batch.label, counts["failed"])
        await store.put(_done_name(batch), b"{}", content_type="application/json")
    return {
        "source": batch.task.source,
        "batch": batch.number,
        "of": batch.of,
        "files": total,
        **{outcome: counts[outcome] for outcome in ("copied", "stored", "unavailable", "failed", "details")},
        "bytes": run.stored_bytes,
        "downloaded": run.downloaded,
        "use": drive.use.to_dict(),
    }


def _done_name(batch: BatchRef) -> str:
    return f"{batch.plan}/done/batch-{batch.number:05d}.json"


class _Run:
    """One try of a batch."""

    def __init__(
        self,
        drive: Drive,
        copier: ContentCopier,
        results: ResultLog,
        recorded: Recorded,
        flight: Flight,
        health: DriveHealth,
        *,
        resume: bool,
        progress: Progress | None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.stored_bytes = 0
        self.downloaded = 0
        self.first_failure: str | None = None
        self.day_over: DailyQuotaError | None = None
        self._drive = drive
        self._copier = copier
        self._health = health
        self._results = results
        self._recorded = recorded
        self._flight = flight
        self._resume = resume
        self._progress = progress

    async def all(self, orders: list[CopyOrder], stop: asyncio.Event) -> None:
        """Carry out the orders; the first error that concerns more than one file ends them all.

        A large file keeps many connections busy by itself, and is lost when the worker dies: only few of them begin
        at once, and small ones fly beside them.
        """
        large = iter([order for order in orders if _is_large(order)])
        small = iter([order for order in orders if not _is_large(order)])
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(stop, len(orders)))
                queues = [chain(large, small) if n < _LARGE_AT_ONCE else small for n in range(self._flight.most)]
                workers = [group.create_task(self._work(queue)) for queue in queues]
                await asyncio.wait(workers)
                watch.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def _watch(self, stop: asyncio.Event, total: int) -> None:
        await stop.wait()
        raise StoppedError(
            f"The task was asked to stop when {self.counts.total()} of {total} files were finished. These are "
            "recorded; the next try goes on from there."
        )

    async def _work(self, queue: Iterator[CopyOrder]) -> None:
        while True:
            async with self._flight.seat():
                order = next(queue, None)
                if order is None:
                    return
                await self._one(order)

    async def _one(self, order: CopyOrder) -> None:
        earlier = await self._earlier(order) if self._resume else None
        result = earlier or await self._copy(order)
        if result is not self._recorded.get((order.item.id, order.format)):
            await self._results.add(result)
        self._count(order, result, stored=earlier is not None)
        self._flight.landed(result.downloaded)

    async def _earlier(self, order: CopyOrder) -> CopyResult | None:
        """What an earlier try made of an order, as far as it still holds."""
        result = self._recorded.get((order.item.id, order.format))
        if order.details:
            return result if result is not None and (result.settled or answers(result, order)) else None
        if result is not None and (result.settled or result.outcome == "unavailable"):
            return result
        if result is not None and result.content is not None and await self._copier.still_stored(result.content):
            return result
        if order.fidelity == "head-later":
            # The name is the head's; what is wanted is older.
            return None
        # The worker may have been killed between storing and recording.
        content = await self._copier.already_stored(order)
        if content is None:
            return None
        return CopyResult(
            item_id=order.item.id,
            format=order.format,
            outcome="copied",
            content=content,
            fidelity=fidelity_of(order),
            message=order.doubt,
        )

    async def _copy(self, order: CopyOrder) -> CopyResult:
        if self.day_over is not None:
            return failed(order, self.day_over)
        try:
            result = await (save_details(self._drive, order) if order.details else self._copier.copy(order))
        except Exception as error:
            if stops_the_batch(error):
                raise
            if isinstance(error, DailyQuotaError):
                # What is under way is finished; nothing else begins.
                self.day_over = error
            await self._health.refused(order, error)
            return failed(order, error, settled=await self._health.is_settled(order, error))
        self._health.served()
        return result

    def _count(self, order: CopyOrder, result: CopyResult, *, stored: bool) -> None:
        outcome = "stored" if stored and result.content is not None else result.outcome
        told = bool(order.details) and outcome != "failed"
        self.counts["details" if told else outcome] += 1
        self.downloaded += 0 if stored else result.downloaded
        if result.content is not None:
            self.stored_bytes += result.content.size
        elif not told:
            log.warning("%s: %s (%s): %s", shown_path(order.path), result.outcome, result.reason, result.message)
        if result.outcome == "failed" and not result.settled and self.first_failure is None:
            self.first_failure = result.message
        if self._progress is not None:
            self._progress(result)


def _is_large(order: CopyOrder) -> bool:
    return not order.details and suits(order.item)
