"""Write the tables of a snapshot again without some rows, and put a manifest that says so in the place of the old one.

The new parts have names of their own. The manifest is replaced in one request, and only if it is still the one that was
read: before it the snapshot is the old one, after it the new one, whatever is killed when. docs/adr/0034 has the
reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace

from include.drive_backup.blob.errors import LEASED, kept_because
from include.drive_backup.erasure.rows import Going
from include.drive_backup.errors import PermanentError, SourceBusyError
from include.drive_backup.manifest.catalogue import TableWriter, read_details, read_left, read_rows
from include.drive_backup.manifest.manifest import Details, Erased, Left, Manifest
from include.drive_backup.manifest.schema import CatalogueRow, row_of
from include.drive_backup.manifest.tally import Tally
from include.drive_backup.model import Detail, Refused
from include.drive_backup.ports import BlobStore, Guard, RepairStore
from include.drive_backup.retention.deletion import Deletion

_JSON = "application/json"
_Beside = dict[str, tuple[tuple[Detail, ...], dict[Detail, Refused]]]


class Rewriter:
    """Writes snapshots without what goes.

    :param token: tells the new parts from all others; one for each erasure.
    :param guard: asked before each write.
    """

    def __init__(self, store: BlobStore, token: str, guard: Guard) -> None:
        self._store, self._token, self._guard = store, token, guard

    async def without(self, manifest: Manifest, going: Going, erased: Erased) -> Manifest:
        """Write the tables again, and give the manifest that speaks of them. It is not written.

        :param erased: what the manifest says of it.
        """
        tally, items = Tally(manifest.instant), self._writer(manifest, "items")
        beside = await _beside(self._store, manifest)
        async for values in _but(read_rows(self._store, manifest), going.ids):
            tally.add(_as_counted(values, beside))
            await items.write(values)
        await items.close(at_least=1)
        details = await self._details(manifest, going)
        left = await self._left(manifest, going)
        tables = {"parts": tuple(items.parts), "digest": items.digest, "details": details, "left": left}
        return replace(_counted(manifest, tally), **tables, erased=(*manifest.erased, erased))

    async def _details(self, manifest: Manifest, going: Going) -> Details | None:
        if manifest.details is None:
            return None
        writer, counts = self._writer(manifest, "details"), Counter[Detail]()
        async for values in _but(read_details(self._store, manifest), going.ids):
            counts[values["detail"]] += values["value"] is not None
            await writer.write(values)
        await writer.close()
        # A detail that every item was refused has no count, as in a manifest that was just committed.
        some = {detail: count for detail, count in counts.items() if count}
        return replace(manifest.details, digest=writer.digest, counts=some, parts=tuple(writer.parts))

    async def _left(self, manifest: Manifest, going: Going) -> Left | None:
        if manifest.left is None:
            return None
        writer, counts = self._writer(manifest, "left"), Counter[str]()
        async for values in _but(read_left(self._store, manifest), going.left):
            counts[values["state"]] += 1
            await writer.write(values)
        await writer.close()
        return replace(manifest.left, digest=writer.digest, counts=dict(counts), parts=tuple(writer.parts))

    def _writer(self, manifest: Manifest, kind: str) -> TableWriter:
        begin = f"{manifest.name.prefix}{kind}-{self._token}"
        return TableWriter(self._store, kind, lambda number: f"{begin}-{number:05d}.parquet", self._guard)


async def _but(rows: AsyncIterator[dict[str, Any]], ids: frozenset[str]) -> AsyncIterator[dict[str, Any]]:
    async for values in rows:
        if values["item_id"] not in ids:
            yield values


async def _beside(store: BlobStore, manifest: Manifest) -> _Beside:
    """Which details were saved of each item, and which Drive refused."""
    found: _Beside = {}
    async for row in read_details(store, manifest, ["item_id", "detail", "reason", "message"]):
        saved, refused = found.get(row["item_id"], ((), {}))
        if row["reason"] is None:
            saved = (*saved, row["detail"])
        else:
            refused = {**refused, row["detail"]: Refused(reason=row["reason"], message=row["message"] or "")}
        found[row["item_id"]] = (saved, refused)
    return found


def _as_counted(values: dict[str, Any], beside: _Beside) -> CatalogueRow:
    saved, refused = beside.get(values["item_id"], ((), {}))
    return replace(row_of(values), details=saved, refused=refused)


def _counted(manifest: Manifest, tally: Tally) -> Manifest:
    """The sums of the rows that stay. The status stays: a snapshot does not get complete by what is taken out of it."""
    listed, past = manifest.listed, manifest.past
    if listed is not None and listed.missed is not None:
        listed = replace(listed, missed=replace(listed.missed, examples=()))
    return replace(
        manifest,
        items=tally.items,
        counts=tally.counts,
        bytes=tally.bytes,
        fidelity=tally.fidelity,
        reasons=tally.reasons,
        listed=listed,
        past=None if past is None else replace(past, told=tally.told),
    )


async def replace_manifest(store: RepairStore, deletion: Deletion, old: Manifest, new: Manifest) -> bool:
    """Put a manifest in the place of another one, unless its snapshot is held or read.

    :return: false when the snapshot stays as it is: ``deletion`` knows why.
    :raises SourceBusyError: somebody else wrote the manifest meanwhile.
    """
    name = old.name.manifest
    found, data = await store.head(name), await store.read(name)
    if found is None or data is None or Manifest.from_json(data) != old:
        raise SourceBusyError(f"{name} changed while it was looked at. Run the same command again.")
    try:
        done = await deletion.guarded(
            lambda guard: store.over(found).put(name, new.to_json(), content_type=_JSON, guard=guard),
            unless=old.name.key,
        )
    except PermanentError as error:
        why = kept_because(error.reason)
        if why is None:
            raise
        if error.reason != LEASED:
            deletion.refused.append(f"{name}: {why}")
            return False
        done = None
    if done is None:
        deletion.held.append(old.name.key)
    elif not done:
        raise SourceBusyError(f"{name} was written by somebody else at this moment. Run the same command again.")
    return bool(done)
