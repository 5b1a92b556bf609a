"""Commit a snapshot: catalogue first, manifest last, create-only."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.cost import Cost, cost
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.handover import Past, PlanRef
from include.drive_backup.manifest.catalogue import NameTakenError, TableWriter
from include.drive_backup.manifest.inventory import fingerprint, load_sound
from include.drive_backup.manifest.left import LeftTable
from include.drive_backup.manifest.manifest import Details, Kind, Manifest, Status
from include.drive_backup.manifest.point import Possession, Unlocked, commit_manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.schema import (
    CatalogueRow,
    detail_records,
    merge,
    record,
)
from include.drive_backup.manifest.sound import view_if_sound
from include.drive_backup.manifest.tally import Tally
from include.drive_backup.manifest.view import View
from include.drive_backup.model import CopyResult, PlanRow, Root, format_instant, parse_instant
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.spent import Spent, spent_by_run
from include.drive_backup.work import (
    decode_row,
    encode_row,
    read_parts,
    read_results,
    results_prefix,
    root_prefix,
    rows_prefix,
)

log = logging.getLogger(__name__)

#: The plan's counts of items that are no part of the snapshot begin with this.
LEFT_OUT = "left_out_"


async def commit_snapshot(
    store: BlobStore, plan: PlanRef, clock: Clock, software_version: str, lock: Possession | None = None
) -> dict[str, Any]:
    """Merge the plan with what the batches did, and commit it, whatever they did.

    If the instant is committed already and a reader would see no difference, nothing is stored.

    :param lock: of the source; None: nobody deletes of it.
    :raises SourceBusyError: the lock was lost. Nothing was committed, or what was is marked as void.
    :return: the manifest's facts as plain builtins, and ``created``: whether this call made a snapshot.
    """
    series, instant = plan.listing.task.snapshots, plan.listing.task.instant
    repository = SnapshotRepository(store)
    rows = _Rows(store, plan, await _results(store, plan), await load_sound(store, series.source))
    tries = await repository.generations(series, instant)
    same = await _as_good(store, repository, tries, rows, plan)
    if same is not None:
        log.info("%s as of %s is committed already, as good as this: nothing is stored.", series, instant)
        return _summary(same, plan, created=False)
    name = SnapshotName(series=series, instant=instant, generation=tries[-1].generation + 1 if tries else 1)
    while (manifest := await _write(store, name, rows, clock, software_version, lock or Unlocked())) is None:
        name = msgspec.structs.replace(name, generation=name.generation + 1)
    log.info("Committed %s: %s, %d items.", name.manifest, manifest.status, manifest.items)
    return _summary(manifest, plan, created=True)


class _Rows:
    """The snapshot's rows, as often as they are wanted: streamed from the work area, never all in memory."""

    def __init__(self, store: BlobStore, plan: PlanRef, results: _Results, stored: set[bytes]) -> None:
        # No manifest may refer to anything but what really is in the container now.
        self.plan = plan
        self._store = store
        self._results = results
        self.stored = stored

    async def read(self, tally: Tally) -> AsyncIterator[CatalogueRow]:
        """Row by row, in the order of the plan.

        :param tally: is fed with each.
        """
        instant = parse_instant(self.plan.listing.task.instant)
        async for row in read_parts(self._store, rows_prefix(self.plan.plan), PlanRow, parts=self.plan.parts):
            results = self._results.of(row.item.id)
            contents = [*row.contents, *(each.content for each in results if each.content is not None)]
            missing = {each.blob for each in contents if fingerprint(each.blob, each.size, each.md5) not in self.stored}
            merged = merge(row, results, missing, instant)
            tally.add(merged)
            yield merged


class _Results:
    """What the batches did, by item; encoded, because a first run may have a million of them."""

    def __init__(self) -> None:
        self._packed: dict[str, tuple[bytes, ...]] = {}
        self._decoder = msgspec.json.Decoder(CopyResult)

    def add(self, result: CopyResult) -> None:
        """Take the result that counts for one item and format. The values of details stay in the work area."""
        slim = msgspec.structs.replace(result, details={})
        self._packed[result.item_id] = (*self._packed.get(result.item_id, ()), encode_row(slim))

    def of(self, item_id: str) -> list[CopyResult]:
        """The results of an item, one per format."""
        return [decode_row(self._decoder, packed) for packed in self._packed.get(item_id, ())]


async def _results(store: BlobStore, plan: PlanRef) -> _Results:
    results = _Results()
    for number in range(1, plan.batches + 1):
        for result in (await read_results(store, results_prefix(plan.plan, number))).values():
            results.add(result)
    return results


async def _as_good(
    store: BlobStore, repository: SnapshotRepository, tries: list[SnapshotName], rows: _Rows, plan: PlanRef
) -> Manifest | None:
    """The snapshot of this instant that makes another one needless: a reader would see no difference, or a worse one.

    Compared is the newest generation of the same status: of the complete ones readers take that, and a partial one
    that says nothing new is not worth another. Worse is a complete one with fewer items as they were at the instant
    (or as many, and fewer others), or with the permissions, comments … of fewer: Drive forgets, so a late second look
    at an old instant sees less, and must not hide what the first one saw; nor may it add guesses to what was seen on
    time. One that is damaged, or refers to what is missing, makes nothing needless, and no older one takes its place:
    readers take the newest.
    """
    if not tries:
        return None
    tally, view = await _seen(store, plan, rows)
    manifest = await _newest(repository, tries, _status(plan, tally))
    there = None if manifest is None else await view_if_sound(store, manifest, rows.stored)
    if manifest is None or there is None:
        return None
    if _is_wider(plan, tally, manifest):
        return None
    if manifest.status == "complete" and _sees_less(tally, manifest, late=plan.listing.late):
        log.warning(
            "%s holds more of what was there at its instant than this run saw: it stays what readers take.",
            manifest.name.manifest,
        )
        return manifest
    same = there == view and manifest.listing_complete == plan.listing.complete
    return manifest if same else None


async def _seen(store: BlobStore, plan: PlanRef, rows: _Rows) -> tuple[Tally, View]:
    """What this run would commit."""
    tally, view = Tally(plan.listing.task.instant), View()
    async for row in rows.read(tally):
        view.add(record(row))
    async for values in _detail_rows(store, plan):
        view.add_detail(values)
    return tally, view


async def _newest(repository: SnapshotRepository, tries: list[SnapshotName], status: Status) -> Manifest | None:
    """The newest committed generation of a status; None also when a newer one cannot be read: readers meet that one."""
    for name in reversed(tries):
        try:
            manifest = await repository.read(name)
        except CorruptStoreError as error:
            log.warning("%s", error)
            return None
        if manifest is not None and manifest.status == status:
            return manifest
    return None


def _is_wider(plan: PlanRef, tally: Tally, manifest: Manifest) -> bool:
    """Whether the job selects more by now: then no snapshot of what it selected before stands for it."""
    selection = msgspec.to_builtins(plan.listing.task.selection)
    return tally.items > manifest.items and msgspec.json.encode(selection, order="sorted") != msgspec.json.encode(
        manifest.selection, order="sorted"
    )


def _sees_less(tally: Tally, manifest: Manifest, *, late: bool) -> bool:
    details = manifest.details.counts if manifest.details else {}
    fewer = any(tally.details.get(detail, 0) < count for detail, count in details.items())
    exact = manifest.fidelity.get("exact", 0)
    # Who was there at the instant saw all of it: what a late look has beyond that is a guess.
    if late and manifest.kind != "as-of" and tally.items > manifest.items and tally.exact <= exact:
        return True
    return fewer or (tally.exact, tally.items) < (exact, manifest.items)


async def _write(
    store: BlobStore, name: SnapshotName, rows: _Rows, clock: Clock, software_version: str, lock: Possession
) -> Manifest | None:
    """Write catalogue and manifest; None when another run has this generation, or retention made it void."""
    writer, tally = TableWriter(store, "items", name.part), Tally(name.instant)
    gone = LeftTable(store, rows.plan)
    await gone.load()
    try:
        async for row in rows.read(tally):
            gone.has(row.item.id)
            await writer.write(record(row))
        await writer.close(at_least=1)
        details = await _write_details(store, name, rows.plan, tally)
        left = await gone.write(name)
    except NameTakenError:
        return None
    facts = _facts(rows.plan, tally, clock, software_version) | await _spending(store, rows.plan, tally, clock)
    facts |= {"details": details, "left": left, "root": await _root(store, rows.plan)}
    manifest = Manifest(generation=name.generation, parts=tuple(writer.parts), digest=writer.digest, **facts)
    return manifest if await commit_manifest(store, manifest, lock, clock) else None


async def _write_details(store: BlobStore, name: SnapshotName, plan: PlanRef, tally: Tally) -> Details | None:
    """Write what was saved beside the items' content, batch by batch; None when the job did not ask for any."""
    asked = plan.listing.task.save
    if not asked:
        return None
    writer = TableWriter(store, "details", name.details)
    async for values in _detail_rows(store, plan):
        await writer.write(values)
    await writer.close()
    return Details(asked=asked, digest=writer.digest, counts=tally.details, parts=tuple(writer.parts))


async def _detail_rows(store: BlobStore, plan: PlanRef) -> AsyncIterator[dict[str, Any]]:
    """The rows of the details, if the job asks for any."""
    for number in range(1, plan.batches + 1) if plan.listing.task.save else ():
        for result in (await read_results(store, results_prefix(plan.plan, number))).values():
            for values in detail_records(result):
                yield values


async def _root(store: BlobStore, plan: PlanRef) -> Root | None:
    return await anext(read_parts(store, root_prefix(plan.listing.work), Root), None)


def _status(plan: PlanRef, tally: Tally) -> Status:
    return "complete" if plan.listing.complete and not tally.counts.get("failed") else "partial"


def _facts(plan: PlanRef, tally: Tally, clock: Clock, software_version: str) -> dict[str, Any]:
    listing, task = plan.listing, plan.listing.task
    return {
        "source": task.source,
        "series": task.series,
        "instant": task.instant,
        "kind": _kind(plan),
        "status": _status(plan, tally),
        "base": plan.base,
        "listing_complete": listing.complete,
        "items": tally.items,
        "counts": tally.counts,
        "bytes": tally.bytes,
        "fidelity": tally.fidelity,
        "left_out": {
            key.removeprefix(LEFT_OUT): count for key, count in plan.counts.items() if key.startswith(LEFT_OUT)
        },
        "reasons": tally.reasons,
        "change_token": listing.change_token,
        "listed": listing.listed,
        "past": _past(plan, tally),
        "covered": plan.covered,
        "not_covered": plan.not_covered,
        "software_version": software_version,
        "run_id": task.run,
        "started": listing.started,
        "ended": format_instant(clock.now()),
        "selection": task.selection,
        "by_hand": task.by_hand,
    }


def _past(plan: PlanRef, tally: Tally) -> Past | None:
    if plan.past is None and not tally.told:
        return None
    return msgspec.structs.replace(plan.past or Past(), told=tally.told)


async def _spending(store: BlobStore, plan: PlanRef, tally: Tally, clock: Clock) -> dict[str, Any]:
    """What the run spent, and what that cost, beside what was expected."""
    listing = plan.listing
    use = listing.use
    spent = await spent_by_run(store, listing.task) or Spent(calls=use.calls, units=use.units, bytes=use.bytes)
    if plan.estimate is None:
        return {"api": spent.api}
    expected: Cost = Cost.from_dict(plan.estimate)
    minutes = (clock.now() - parse_instant(listing.started)).total_seconds() / 60
    actual = cost(tally.copied_files, tally.bytes.get("copied", 0), spent, minutes=minutes, prices=expected.prices)
    return {"api": spent.api, "estimate": expected, "cost": actual}


def _kind(plan: PlanRef) -> Kind:
    if plan.listing.late:
        return "as-of"
    return "incremental" if plan.base else "full"


def _summary(manifest: Manifest, plan: PlanRef, *, created: bool) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.json.decode(manifest.to_json())
    for key in ("parts", "digest", "change_token", "root", "listed"):
        facts.pop(key)
    for table in (facts["details"], facts["left"]):
        if table:
            table.pop("parts", None)
            table.pop("digest")
    listed = manifest.listed
    told: dict[str, Any] = {"missed": listed.missed.to_dict()} if listed and listed.missed else {}
    if listed and listed.unproven:
        told["unproven"] = listed.unproven
    if listed and listed.not_asked:
        told["not_asked"] = listed.not_asked
    told["unfit_globs"] = plan.unfit_globs.to_dict()
    return {**facts, **told, "manifest": manifest.name.manifest, "created": created}
