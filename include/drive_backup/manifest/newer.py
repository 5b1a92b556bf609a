"""What to say of the newest complete snapshot when newer ones are partial: these may have newer versions."""

from __future__ import annotations

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import counted
from include.drive_backup.ports import BlobStore


async def newer_note(store: BlobStore, manifest: Manifest, which: str) -> str | None:
    """What a person has to know who asked for the latest snapshot and gets an older one; None when it is the newest.

    :param manifest: what was found.
    :param which: what the person asked for.
    """
    if which.rpartition("/")[2] != "latest":
        return None
    name = manifest.name
    after = (name.instant, name.generation)
    names = await SnapshotRepository(store).names(name.series)
    newer = [each for each in names if (each.instant, each.generation) > after]
    if not newer:
        return None
    return (
        f"{name.ident} is the newest complete snapshot, and {counted(len(newer), 'snapshot')} of {name.series} made "
        "since are not complete. They may have newer versions and newer files: to use one name it by its id, the last "
        f"one is {newer[-1].ident}."
    )
