"""Find and read snapshots."""

from __future__ import annotations

import logging

import msgspec

from include.drive_backup.blob.names import FORMAT_VERSION, SnapshotName, parse_snapshot, snapshots_prefix
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

log = logging.getLogger(__name__)


class SnapshotRepository:
    """The snapshots in a container.

    :param store: the container.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    async def names(self, source: Source) -> list[SnapshotName]:
        """The committed snapshots of a source, oldest instant first, generations ascending."""
        found = []
        async for blob in self._store.list(snapshots_prefix(source)):
            name = parse_snapshot(blob.name)
            if name is not None and blob.name == name.manifest:
                found.append(name)
        return sorted(found, key=lambda name: (name.instant, name.generation))

    async def generations(self, source: Source, instant: str) -> list[SnapshotName]:
        """Every generation of an instant that anything was written of, committed or not."""
        found = set()
        async for blob in self._store.list(f"{snapshots_prefix(source)}{instant}"):
            name = parse_snapshot(blob.name)
            if name is not None and name.instant == instant:
                found.add(name)
        return sorted(found, key=lambda name: name.generation)

    async def read(self, name: SnapshotName) -> Manifest | None:
        """The manifest, or None when this snapshot was not committed.

        :raises CorruptStoreError: it cannot be read, or is of a newer format.
        """
        data = await self._store.read(name.manifest)
        if data is None:
            return None
        try:
            manifest = Manifest.from_json(data)
        except msgspec.MsgspecError as error:
            raise CorruptStoreError(f"{name.manifest} is no manifest ({error}); use another snapshot.") from error
        if manifest.format_version > FORMAT_VERSION:
            raise CorruptStoreError(
                f"{name.manifest} has format version {manifest.format_version}; update Drive Backup to read it."
            )
        if manifest.name != name:
            raise CorruptStoreError(f"{name.manifest} speaks of {manifest.name.manifest}; use another snapshot.")
        return manifest

    async def latest(self, source: Source, not_after: str, *, complete_only: bool = True) -> Manifest | None:
        """The newest snapshot not after an instant; of its generations the newest (complete) one.

        :param not_after: an instant as text.
        """
        for name in reversed(await self.names(source)):
            if name.instant > not_after:
                continue
            manifest = await self.read(name)
            if manifest is not None and (manifest.status == "complete" or not complete_only):
                return manifest
        return None

    async def base_for(self, source: Source, instant: str) -> str | None:
        """The manifest of the latest complete snapshot of an earlier instant: what a new snapshot follows.

        One that cannot be read is passed over: it must not keep the next backup from being made.
        """
        for name in reversed(await self.names(source)):
            if name.instant < instant:
                manifest = await self.try_read(name)
                if manifest is not None and manifest.status == "complete":
                    return name.manifest
        return None

    async def try_read(self, name: SnapshotName) -> Manifest | None:
        """The manifest, or None when there is none that can be read; a damaged one is logged."""
        try:
            return await self.read(name)
        except CorruptStoreError as error:
            log.warning("%s", error)
            return None
