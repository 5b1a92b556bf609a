"""What to say of a snapshot that somebody narrowed by hand: it holds less than its job saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, counted
from include.drive_backup.ports import BlobStore


def selection_text(selection: Mapping[str, Any]) -> str:
    """``include *.txt; max size 5000``: what was selected, as the manifest records it."""
    parts = []
    for name, value in selection.items():
        if value in (None, [], (), {}, False):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        parts.append(name.replace("_", " ") + ("" if value is True else f" {shown}"))
    return "; ".join(parts) or "everything"


async def _near(repository: SnapshotRepository, job: Series, instant: str) -> Manifest | None:
    try:
        return await repository.latest(job, instant) or await repository.latest(job, "9")
    except CorruptStoreError:
        return None


async def narrowed_note(store: BlobStore, manifest: Manifest) -> str | None:
    """What a person has to know who restores a snapshot that was narrowed by hand; None when it was not.

    It names the job's own snapshot of about that time, and how many items that one has.
    """
    series = manifest.name.series
    if not series.narrowed:
        return None
    job = Series(source=series.source, name=series.job)
    repository = SnapshotRepository(store)
    own = await _near(repository, job, manifest.instant)
    said = (
        f"This snapshot was narrowed by hand ({selection_text(manifest.selection)}): it holds "
        f"{counted(manifest.items, 'item')} and does not stand for all that the job '{series.job}' saves."
    )
    if own is None:
        return f"{said} That job has no complete snapshot of {series.source} that can be read."
    return f"{said} The job's own snapshot {own.name.ident} has {counted(own.items, 'item')}."
