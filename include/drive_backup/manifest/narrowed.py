"""What to say of a snapshot whose selection somebody changed by hand: it does not hold what its job saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, counted
from include.drive_backup.ports import BlobStore

Selection = Mapping[str, Any]


def selection_text(selection: Selection) -> str:
    """``include *.txt; max size 5000``: what was selected, as the manifest records it."""
    return "; ".join(_said(name, value) for name, value in selection.items() if not _empty(value)) or "without filters"


def difference_text(selection: Selection, job: Selection | None) -> str:
    """``no exclude instead of exclude *.tmp``: how a selection differs from that of the job.

    :param job: None: it is not known, and all that was selected is said.
    """
    if job is None:
        return selection_text(selection)
    differs = [
        f"{_said(name, selection.get(name))} instead of {_said(name, job.get(name))}"
        for name in dict.fromkeys((*selection, *job))
        if _facts(selection.get(name)) != _facts(job.get(name))
    ]
    # What others share is left out where another source of the run holds it, so these make a series, too.
    return "; ".join(differs) or "with the filters of the job, but beside other sources or other settings"


def by_hand_text(manifest: Manifest, job: Selection | None) -> str | None:
    """How a snapshot is marked in a list; None: it is the job's own.

    :param job: as for :func:`difference_text`.
    """
    return f"selected by hand: {difference_text(manifest.selection, job)}" if manifest.narrowed else None


def _said(name: str, value: Any) -> str:
    label = name.replace("_", " ")
    if _empty(value):
        return f"no {label}"
    if value is True:
        return label
    return f"{label} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"


def _empty(value: Any) -> bool:
    return value in (None, [], (), {}, False)


def _facts(value: Any) -> Any:
    return None if _empty(value) else list(value) if isinstance(value, list | tuple) else value


async def _near(repository: SnapshotRepository, job: Series, instant: str) -> Manifest | None:
    try:
        return await repository.latest(job, instant) or await repository.latest(job, "9")
    except CorruptStoreError:
        return None


async def narrowed_note(store: BlobStore, manifest: Manifest) -> str | None:
    """What a person has to know who reads a snapshot that was selected by hand; None when it was not.

    It names the job's own snapshot of about that time, how many items that one has, and how their selections differ.
    """
    series = manifest.name.series
    if not series.narrowed:
        return None
    job = Series(source=series.source, name=series.job)
    repository = SnapshotRepository(store)
    own = await _near(repository, job, manifest.instant)
    said = (
        f"This snapshot was selected by hand ({difference_text(manifest.selection, own.selection if own else None)}): "
        f"it holds {counted(manifest.items, 'item')} and does not stand for what the job '{series.job}' saves."
    )
    if own is None:
        return f"{said} That job has no complete snapshot of {series.source} that can be read."
    return f"{said} The job's own snapshot {own.name.ident} has {counted(own.items, 'item')}."
