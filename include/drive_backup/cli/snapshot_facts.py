"""What lists show of a snapshot: from its manifest, and a listing of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.catalogue import lost_part, sizes_of
from include.drive_backup.manifest.erased import erased_text
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.narrowed import by_hand_text
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, parse_instant
from include.drive_backup.ports import BlobStore


class SnapshotReader:
    """Reads snapshots for a list, and remembers what each job selected last: others are held against it.

    :param there: the lengths of the parts of catalogues, from :func:`.catalogue.sizes_of`: none of them is read.
    """

    def __init__(self, store: BlobStore, there: Mapping[str, int]) -> None:
        self._store = store
        self._repository = SnapshotRepository(store)
        self._there = there
        self._jobs: dict[Series, Mapping[str, Any]] = {}

    async def facts(self, name: SnapshotName) -> dict[str, Any]:
        """What is printed of a snapshot."""
        try:
            manifest = await self._repository.read(name)
        except UNREADABLE as error:
            facts = {"snapshot": name.ident, "series": name.series.name, "time": parse_instant(name.instant)}
            return {**facts, "status": "damaged", "message": str(error)}
        if manifest is None:
            return {}
        if not manifest.narrowed:
            self._jobs[name.series] = manifest.selection
        job = Series(source=name.source, name=name.series.job)
        lost = await self._lost(manifest)
        damage = {} if lost is None else {"status": "damaged", "message": lost}
        notes = filter(None, (by_hand_text(manifest, self._jobs.get(job)), erased_text(manifest)))
        return {**_facts(manifest), "note": "; ".join(notes) or None, **damage}

    async def _lost(self, manifest: Manifest) -> str | None:
        """What of its catalogue is lost; looked at again, since an erasure may have replaced the parts meanwhile."""
        if lost_part(manifest, self._there) is None:
            return None
        return lost_part(manifest, await sizes_of(self._store, manifest.name.prefix))


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "snapshot": manifest.name.ident,
        "series": manifest.series,
        "time": parse_instant(manifest.instant),
        "kind": manifest.kind,
        "status": manifest.status,
        "items": manifest.items,
        "copied": manifest.counts.get("copied", 0),
        "not_saved": manifest.counts.get("unavailable", 0) + manifest.counts.get("failed", 0),
        "bytes": sum(manifest.bytes.values()),
        "narrowed": manifest.narrowed,
        "manifest": manifest.name.manifest,
    }
