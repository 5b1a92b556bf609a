"""A restore into Drive in steps that can be tried again: plan (which makes the folders), batches, shortcuts, report.

Steps leave to each other what they know in ``work/restore/<run>/…``. What is restored is in the journal of its batch,
so that a further try does only what is missing; what the journal missed is found in Drive by its marks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from include.drive_backup.blob.names import encode_segment
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import PermanentError, SnapshotIncompleteError, TransientError
from include.drive_backup.journal import Journal, Record, each_once, raise_together, read_journal
from include.drive_backup.manifest.found import Found
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import Priority, Source, Struct, counted, human_bytes
from include.drive_backup.moments import read_zone
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.restore.container_target import KIND, ContainerPlace
from include.drive_backup.restore.drive import DriveFolder
from include.drive_backup.restore.drive_limits import LASTING
from include.drive_backup.restore.drive_target import DriveTarget, open_target
from include.drive_backup.restore.orders import Conflict, Destination, RestoreResult, ordered_rows, shortfall
from include.drive_backup.restore.permissions import read_permissions
from include.drive_backup.restore.run import FILES, SHORTCUTS, restore_folders
from include.drive_backup.restore.selection import Entry, Selection, select, twins_of
from include.drive_backup.restore.tally import Tally
from include.drive_backup.work import PartWriter, read_parts

#: Batches of one restore at most, and what one holds at least, if there is so much.
MAX_BATCHES = 200
_LEAST_ITEMS = 500
_LEAST_BYTES = 1_000_000_000


class RestoreTask(Struct, frozen=True):
    """What a run restores, and where to: a place in Drive, or ``container/NAME/prefix``.

    :param subject: the user to act as in Drive, if any.
    :param home: of a user's source: the address that its person has now; None: none that is known.
    :param person: the ``permissionId`` that ``subject`` must have, where it is known.
    :param to_conn: the connection of another container's account.
    :param priority: how soon archived content is rehydrated.
    :param series: the series of the snapshot; None: the job's.
    :param time_zone: in which ``snapshot`` is when it is a time that names none.
    """

    source: str
    to: str
    run: str
    snapshot: str = "latest"
    series: str | None = None
    time_zone: str = "UTC"
    paths: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    merge: bool = False
    conflict: Conflict = "copy"
    permissions: bool = False
    subject: str | None = None
    home: str | None = None
    person: str | None = None
    to_conn: str | None = None
    priority: Priority = "standard"
    dry_run: bool = False

    @property
    def place(self) -> ContainerPlace | None:
        """The container to restore into; None: it goes into Drive."""
        return ContainerPlace.parse(self.to) if self.to.startswith(KIND) else None


class RestoreBatch(Struct, frozen=True):
    """Some items to restore; small, for XCom.

    :param target: in Drive; None: a container, which the task names.
    :param snapshot: its id.
    :param batch: names its orders and its journal in the work area.
    """

    task: RestoreTask
    target: DriveTarget | None
    snapshot: str
    work: str
    batch: str
    parts: int
    items: int
    bytes: int
    label: str

    @property
    def journal(self) -> str:
        """The prefix of what its tries have done."""
        return f"{self.work}/done/{self.batch}/"


class RestoreOrder(Struct, frozen=True):
    """One item, and where it goes.

    In Drive: the folder it goes into, what it is to be shared with, and whether another item of the snapshot has its
    name there. In a container: the name of each format's blob. ``asked``: somebody named the item itself.
    """

    row: CatalogueRow
    parent: str = ""
    names: dict[str, str] = {}
    permissions: tuple[dict[str, Any], ...] = ()
    twin: bool = False
    asked: bool = False


class RestoreRecord(Record, frozen=True):
    """What became of one item; ``source`` is its path."""

    results: tuple[RestoreResult, ...] = ()

    @property
    def settled(self) -> bool:
        """A failed item is tried again."""
        return all(each.outcome != "failed" for each in self.results)


class RestorePlan(Struct, frozen=True):
    """What ``plan`` hands on. ``shortcuts`` come after the batches, for they may lead to what these restore.

    ``shortfall`` says why the snapshot itself may lack something.
    """

    work: str
    manifest: str
    items: int
    bytes: int
    priority: Priority = "standard"
    batches: tuple[RestoreBatch, ...] = ()
    shortcuts: RestoreBatch | None = None
    shortfall: str | None = None


def work_of(run: str, token: str) -> str:
    """The work area of one plan of a run."""
    return f"work/restore/{encode_segment(run)}/{token}"


async def find_snapshot(store: BlobStore, task: RestoreTask) -> Found:
    """The snapshot that the task restores.

    :raises SnapshotNotFoundError: there is no such snapshot.
    :raises ConfigError: there is no such time zone.
    """
    repository, zone = SnapshotRepository(store), read_zone(task.time_zone)
    return await repository.choose(Source.parse(task.source), task.snapshot, task.series, zone)


async def look(store: BlobStore, task: RestoreTask) -> tuple[Manifest, dict[str, Entry]]:
    """What the task would restore.

    :raises SnapshotNotFoundError: there is no such snapshot, path or id.
    """
    manifest = (await find_snapshot(store, task)).manifest
    return manifest, await select(store, manifest, Selection(paths=task.paths, ids=task.ids))


async def plan_restore(drive: GoogleDrive, store: BlobStore, task: RestoreTask, clock: Clock, work: str) -> RestorePlan:
    """Make the folders, and write the orders of the batches.

    :param work: from :func:`work_of`, of this plan alone.
    """
    manifest, wanted = await look(store, task)
    target = await open_target(drive, manifest, Source.parse(task.to), store.url, merge=task.merge)
    given = await read_permissions(store, manifest, wanted, clock.now()) if task.permissions else {}
    destination = DriveFolder(
        drive.writer, store, target, clock, conflict=task.conflict, permissions=given, twins=twins_of(wanted.values())
    )
    await destination.recall()
    async with Journal(store, f"{work}/done/folders/", RestoreRecord, clock) as journal:
        async for results in restore_folders(store, manifest, wanted, destination):
            await journal.add(RestoreRecord(source=results[0].path, results=tuple(results)))
        await journal.finish()

    async def order(row: CatalogueRow) -> RestoreOrder:
        lost = destination.lost(row.path)
        parent = "" if lost else await destination.folder_of(row.path)
        twin, shared_with = wanted[row.path].twin, tuple(given.get(row.item.id, ()))
        asked = wanted[row.path].asked
        return RestoreOrder(row=row, parent=parent, permissions=shared_with, twin=twin, asked=asked)

    planner = Planner(store, task, target, work, order)
    files = await planner.batches(manifest, wanted, FILES, "batch")
    shortcuts = await planner.batches(manifest, wanted, SHORTCUTS, "shortcuts")
    return planned(task, work, manifest, wanted, files, shortcuts[0] if shortcuts else None)


def planned(
    task: RestoreTask,
    work: str,
    manifest: Manifest,
    wanted: Mapping[str, Entry],
    batches: Sequence[RestoreBatch],
    shortcuts: RestoreBatch | None = None,
) -> RestorePlan:
    """The plan of some batches."""
    return RestorePlan(
        work=work,
        manifest=manifest.name.manifest,
        items=len(wanted),
        bytes=sum(entry.size for entry in wanted.values()),
        priority=task.priority,
        batches=tuple(batches),
        shortcuts=shortcuts,
        shortfall=shortfall(manifest),
    )


class Planner:
    """Writes orders, batch after batch.

    :param order: makes the order for an item.
    """

    def __init__(
        self,
        store: BlobStore,
        task: RestoreTask,
        target: DriveTarget | None,
        work: str,
        order: Callable[[CatalogueRow], Awaitable[RestoreOrder]],
    ) -> None:
        self._store, self._task, self._target, self._work = store, task, target, work
        self._order = order

    async def batches(
        self, manifest: Manifest, wanted: Mapping[str, Entry], kinds: frozenset[str], name: str
    ) -> list[RestoreBatch]:
        """The batches of some kinds of items; shortcuts are one batch."""
        chosen = [entry for entry in wanted.values() if entry.kind in kinds]
        whole = kinds == SHORTCUTS
        most = len(chosen) if whole else max(_LEAST_ITEMS, -(-len(chosen) * 2 // MAX_BATCHES) + 1)
        room = max(_LEAST_BYTES, sum(entry.size for entry in chosen) * 2 // MAX_BATCHES + 1)
        made: list[RestoreBatch] = []
        writer, size = self._writer(f"{name}-{len(made):05d}"), 0
        async for row in ordered_rows(self._store, manifest, wanted, kinds):
            if writer.rows and (writer.rows >= most or (size >= room and not whole)):
                made.append(await self._end(writer, manifest, f"{name}-{len(made):05d}", size))
                writer, size = self._writer(f"{name}-{len(made):05d}"), 0
            await writer.write(await self._order(row))
            size += row.stored_bytes
        if writer.rows:
            made.append(await self._end(writer, manifest, f"{name}-{len(made):05d}", size))
        return made

    def _writer(self, batch: str) -> PartWriter[RestoreOrder]:
        return PartWriter[RestoreOrder](self._store, f"{self._work}/orders/{batch}-", 1_000)

    async def _end(self, writer: PartWriter[RestoreOrder], manifest: Manifest, batch: str, size: int) -> RestoreBatch:
        parts = await writer.close()
        label = f"{self._task.source} · {batch} · {counted(writer.rows, 'item')} · {human_bytes(size)}"
        return RestoreBatch(
            task=self._task,
            target=self._target,
            snapshot=manifest.name.ident,
            work=self._work,
            batch=batch,
            parts=parts,
            items=writer.rows,
            bytes=size,
            label=label,
        )


async def restore_batch(
    drive: GoogleDrive,
    store: BlobStore,
    batch: RestoreBatch,
    clock: Clock,
    *,
    ids: Mapping[str, str] | None = None,
    in_flight: int = 8,
    stop: asyncio.Event | None = None,
) -> dict[str, int]:
    """Restore what is missing of a batch, into Drive.

    :param ids: of what was restored, by the ids that were backed up; for shortcuts.
    :return: how many items of each outcome.
    :raises TransientError: some failed; a further try does them again.
    """
    if batch.target is None:
        raise ValueError("This batch does not go into Drive.")
    orders = await orders_of(store, batch)
    destination = DriveFolder(
        drive.writer,
        store,
        batch.target,
        clock,
        conflict=batch.task.conflict,
        folders={order.row.path.rpartition("/")[0]: order.parent for order in orders if "/" in order.row.path},
        permissions={order.row.item.id: order.permissions for order in orders},
        twins={order.row.path for order in orders if order.twin},
    )
    destination.ids.update(ids or {})
    await destination.recall()
    return await carry_out(store, batch, orders, destination, clock, in_flight=in_flight, stop=stop)


async def orders_of(store: BlobStore, batch: RestoreBatch) -> list[RestoreOrder]:
    """What a batch is to restore."""
    prefix = f"{batch.work}/orders/{batch.batch}-"
    return [order async for order in read_parts(store, prefix, RestoreOrder, parts=batch.parts)]


async def carry_out(
    store: BlobStore,
    batch: RestoreBatch,
    orders: Sequence[RestoreOrder],
    destination: Destination,
    clock: Clock,
    *,
    in_flight: int,
    stop: asyncio.Event | None,
) -> dict[str, int]:
    """Restore the orders that the journal of earlier tries does not hold.

    :raises TransientError: some failed; a further try does them again.
    :raises PermanentError: some failed because of limits of Drive, which a further try would meet at once.
    """

    async def do(order: RestoreOrder) -> RestoreRecord:
        results = await destination.restore(order.row)
        return RestoreRecord(source=order.row.path, results=tuple(replace(each, asked=order.asked) for each in results))

    async with Journal(store, batch.journal, RestoreRecord, clock) as journal:
        tasks = ((order.row.path, order) for order in orders)
        errors = await each_once(journal, tasks, do, at_once=in_flight, stop=stop)
        raise_together(errors, f"{len(errors)} of {len(orders)} items could not be restored")
        results = [each for record in journal.rows.values() for each in record.results]
        failed = [each for each in results if each.outcome == "failed"]
        if failed:
            said = f"{len(failed)} of {len(orders)} items failed, first '{failed[0].shown}': {failed[0].message}"
            lasting = all(each.reason in LASTING for each in failed)
            raise (PermanentError if lasting else TransientError)(said, reason=failed[0].reason)
        await journal.finish()
    return dict(Counter(each.outcome for each in results))


async def contents_of_plan(store: BlobStore, plan: RestorePlan) -> set[str]:
    """The names of the blobs that the batches will read."""
    names: set[str] = set()
    for batch in plan.batches:
        orders = read_parts(store, f"{batch.work}/orders/{batch.batch}-", RestoreOrder, parts=batch.parts)
        async for order in orders:
            names.update(content.blob for content in order.row.contents)
    return names


async def restored_ids(store: BlobStore, plan: RestorePlan) -> dict[str, str]:
    """The ids of what was restored, by the ids that were backed up."""
    return {each.item_id: each.target async for each in results_of(store, plan) if each.target}


async def results_of(store: BlobStore, plan: RestorePlan) -> AsyncIterator[RestoreResult]:
    """What became of every item, batch after batch."""
    prefixes = [f"{plan.work}/done/folders/", *(batch.journal for batch in plan.batches)]
    for prefix in [*prefixes, *([plan.shortcuts.journal] if plan.shortcuts else [])]:
        for record in await read_journal(store, prefix, RestoreRecord):
            for result in record.results:
                yield result


async def tally_of(store: BlobStore, plan: RestorePlan) -> Tally:
    """How many files, folders and shortcuts had which outcome."""
    tally = Tally()
    async for result in results_of(store, plan):
        tally.add(result)
    return tally


async def report(store: BlobStore, plan: RestorePlan, token: str) -> tuple[Counter[str], str]:
    """Write the report: a line of JSON for each result.

    :param token: of this try alone.
    :return: how many results of each outcome, with ``bytes``, ``missing`` (items without any) and what was asked for by
        name and left out all the same; the blob's name.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    prefix = f"{plan.work}/report-{token}-"
    async with PartWriter[RestoreResult](store, prefix, 10_000_000) as writer:
        async for result in results_of(store, plan):
            counts[result.outcome] += 1
            counts["bytes"] += result.bytes
            if result.asked and result.outcome == "left-out":
                counts["asked for and left out"] += 1
            seen.add(result.path)
            await writer.write(replace(result, path=result.shown))
    counts["missing"] = plan.items - len(seen)
    return counts, f"{prefix}*.jsonl.gz"


def verdict(counts: Mapping[str, int], lacks: str | None = None) -> None:
    """Fail when something of what was asked for is not there, or may not be.

    :param lacks: from :func:`.orders.shortfall`.
    :raises SnapshotIncompleteError: with how many of what.
    """
    names = ("failed", "not-saved", "missing", "asked for and left out")
    bad = {name: counts[name] for name in names if counts.get(name)}
    if bad:
        said = ", ".join(f"{count} {name}" for name, count in bad.items())
        raise SnapshotIncompleteError(
            f"The restore is not complete: {said}. The report names each item and why; clear the failed tasks to try "
            "again: only what is missing is restored." + (f" {lacks}" if lacks else "")
        )
    if lacks:
        raise SnapshotIncompleteError(f"All that was asked for and is in the snapshot is restored. {lacks}")
