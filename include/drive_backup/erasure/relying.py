"""Snapshots of what is shared say which items are in other sources; they must not send anybody to what was erased."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from include.drive_backup.erasure.rewrite import replace_manifest
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.manifest import Erased
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import Clock, RepairStore
from include.drive_backup.retention.deletion import Deletion
from include.drive_backup.retention.plan import read_manifests


class Corrected(Struct, frozen=True):
    """Manifests of one source that do not name the erased one any more, and those that still do."""

    source: str
    snapshots: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


async def correct(
    store: RepairStore, source: Source, home: Source, record: str, lock: SourceLock, clock: Clock
) -> Corrected:
    """Say in the manifests of a source that what another one held for it was erased.

    :param source: of what is shared with a user.
    :param home: was erased, all of it.
    :param lock: of ``source``.
    :raises SourceBusyError: another run has ``source``.
    """
    deletion = Deletion(store, source, lock, clock, asyncio.Event())
    lock.will_delete()
    done = list[str]()
    async with holding(lock, clock, give_back=True):
        when = record.rstrip("/").rpartition("/")[2].partition("-")[0]
        for manifest in (await read_manifests(store, source))[0]:
            items = manifest.covered.get(str(home))
            if items is not None:
                covered = {key: count for key, count in manifest.covered.items() if key != str(home)}
                erased = Erased(record=record, when=when, items=items)
                new = replace(manifest, covered=covered, erased=(*manifest.erased, erased))
                if await replace_manifest(store, deletion, manifest, new):
                    done.append(manifest.name.key)
    kept, refused = tuple(deletion.held), tuple(deletion.refused)
    return Corrected(source=str(source), snapshots=tuple(done), kept=kept, refused=refused)
