"""Commit a snapshot: catalogue first, manifest last, create-only."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec

from include.drive_backup.blob.metadata import stored_file
from include.drive_backup.blob.names import SnapshotName, content_prefix
from include.drive_backup.manifest.catalogue import CatalogueWriter, NameTakenError
from include.drive_backup.manifest.manifest import Kind, Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.schema import CatalogueRow, merge
from include.drive_backup.manifest.tally import Tally
from include.drive_backup.model import (
    CopyResult,
    PlanRef,
    PlanRow,
    Source,
    StoredContent,
    format_instant,
    parse_instant,
)
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.work import read_parts, read_results, results_prefix, rows_prefix

log = logging.getLogger(__name__)

#: The plan's counts of items that are no part of the snapshot begin with this.
LEFT_OUT = "left_out_"
#: A listing that begins later than this after its instant makes an ``as-of`` snapshot.
PUNCTUAL = timedelta(hours=1)


async def commit_snapshot(store: BlobStore, plan: PlanRef, clock: Clock, software_version: str) -> dict[str, Any]:
    """Merge the plan with what the batches did, and commit it, whatever they did.

    If the instant is committed already and a reader would see no difference, nothing is stored.

    :return: the manifest's facts as plain builtins, and ``created``: whether this call made a snapshot.
    """
    source, instant = Source.parse(plan.listing.task.source), plan.listing.task.instant
    repository = SnapshotRepository(store)
    rows = _Rows(store, plan, await _results(store, plan), await _stored(store, source))
    tally = Tally()
    async for row in rows.read():
        tally.add(row)
    existing = await repository.generations(source, instant)
    for name in reversed(existing):
        manifest = await repository.read(name)
        if manifest is not None:
            if manifest.digest == tally.digest and manifest.listing_complete == plan.listing.complete:
                log.info("%s as of %s is committed already, with the same content: nothing is stored.", source, instant)
                return _summary(manifest, created=False)
            break
    generation = existing[-1].generation + 1 if existing else 1
    while True:
        name = SnapshotName(source=source, instant=instant, generation=generation)
        manifest = await _write(store, name, rows, _facts(plan, tally, clock, software_version))
        if manifest is not None:
            log.info("Committed %s: %s, %d items.", name.manifest, manifest.status, manifest.items)
            return _summary(manifest, created=True)
        generation += 1


class _Rows:
    """The snapshot's rows, as often as they are wanted: streamed from the work area, never all in memory."""

    def __init__(
        self,
        store: BlobStore,
        plan: PlanRef,
        results: dict[str, list[CopyResult]],
        stored: dict[str, StoredContent],
    ) -> None:
        self._store = store
        self._plan = plan
        self._results = results
        self._stored = stored

    async def read(self) -> AsyncIterator[CatalogueRow]:
        """Row by row, in the order of the plan."""
        async for row in read_parts(self._store, rows_prefix(self._plan.plan), PlanRow, parts=self._plan.parts):
            results = self._results.get(row.item.id, [])
            contents = [*row.contents, *(each.content for each in results if each.content is not None)]
            missing = {content.blob for content in contents if not self._is_stored(content)}
            yield merge(row, results, missing)

    def _is_stored(self, content: StoredContent) -> bool:
        found = self._stored.get(content.blob)
        return found is not None and (found.size, found.md5) == (content.size, content.md5)


async def _results(store: BlobStore, plan: PlanRef) -> dict[str, list[CopyResult]]:
    """What the batches did, by item."""
    results: dict[str, list[CopyResult]] = {}
    for number in range(1, plan.batches + 1):
        for result in (await read_results(store, results_prefix(plan.plan, number))).values():
            results.setdefault(result.item_id, []).append(result)
    return results


async def _stored(store: BlobStore, source: Source) -> dict[str, StoredContent]:
    """What really is in the container of this source now: no manifest may refer to anything else."""
    stored = {}
    async for info in store.list(content_prefix(source), metadata=True):
        found = stored_file(info)
        if found is not None:
            stored[info.name] = found.content
    return stored


async def _write(store: BlobStore, name: SnapshotName, rows: _Rows, facts: dict[str, Any]) -> Manifest | None:
    """Write catalogue and manifest; None when somebody else has this generation."""
    writer = CatalogueWriter(store, name)
    try:
        async for row in rows.read():
            await writer.write(row)
        await writer.close()
    except NameTakenError:
        return None
    manifest = Manifest(generation=name.generation, parts=tuple(writer.parts), **facts)
    created = await store.put(name.manifest, manifest.to_json(), content_type="application/json")
    return manifest if created else None


def _facts(plan: PlanRef, tally: Tally, clock: Clock, software_version: str) -> dict[str, Any]:
    listing, task = plan.listing, plan.listing.task
    complete = listing.complete and not tally.counts.get("failed")
    return {
        "source": task.source,
        "instant": task.instant,
        "kind": _kind(plan),
        "status": "complete" if complete else "partial",
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
        "digest": tally.digest,
        "change_token": listing.change_token,
        "software_version": software_version,
        "run_id": task.run,
        "started": listing.started,
        "ended": format_instant(clock.now()),
        "api": listing.use,
    }


def _kind(plan: PlanRef) -> Kind:
    listing = plan.listing
    if parse_instant(listing.started) - parse_instant(listing.task.instant) > PUNCTUAL:
        return "as-of"
    return "incremental" if plan.base else "full"


def _summary(manifest: Manifest, *, created: bool) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(manifest)
    for key in ("parts", "digest", "change_token"):
        facts.pop(key)
    return {**facts, "manifest": manifest.name.manifest, "created": created}
