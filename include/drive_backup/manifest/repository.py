"""Find and read snapshots."""

from __future__ import annotations

import logging

import msgspec

from include.drive_backup.blob.names import FORMAT_VERSION, SnapshotName, parse_snapshot, snapshots_prefix
from include.drive_backup.errors import ConfigError, CorruptStoreError, SnapshotNotFoundError
from include.drive_backup.handover import Origin
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Source, format_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import read_time

log = logging.getLogger(__name__)


_LAST = "99991231T235959.999Z"


def _moment(text: str) -> str:
    """A person's time as an instant.

    :raises SnapshotNotFoundError: it is neither a time nor an id of a snapshot.
    """
    moment = read_time(text)
    if moment is None:
        raise SnapshotNotFoundError(
            f"'{text}' is neither the id of a snapshot nor a time. Write 'latest', an id such as 20261123T000000.000Z, "
            "or a time such as 2026-11-23 or 2026-11-23T18:00+01:00."
        )
    return format_instant(moment)


class SnapshotRepository:
    """The snapshots in a container.

    :param store: the container.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    async def sources(self) -> list[Source]:
        """The sources that have a committed snapshot, in the order of their names."""
        found = set()
        async for blob in self._store.list("snapshots/"):
            name = parse_snapshot(blob.name)
            if name is not None and blob.name == name.manifest:
                found.add(name.source)
        return sorted(found, key=str)

    async def names(self, source: Source) -> list[SnapshotName]:
        """The committed snapshots of a source, oldest instant first, generations ascending."""
        found = []
        async for blob in self._store.list(snapshots_prefix(source)):
            name = parse_snapshot(blob.name)
            if name is not None and blob.name == name.manifest:
                found.append(name)
        return sorted(found, key=lambda name: (name.instant, name.generation))

    async def find(self, source: Source, which: str = "latest") -> Manifest:
        """The snapshot that a person means.

        :param which: ``latest``; a snapshot's id (its folder, also of a partial one); or a time in ISO 8601 (UTC when
            it names no zone): the newest complete snapshot not later.
        :raises SnapshotNotFoundError: there is none; says which there are.
        :raises CorruptStoreError: it is damaged.
        """
        for name in await self.names(source):
            if name.ident == which:
                manifest = await self.read(name)
                if manifest is not None:
                    return manifest
        moment = _LAST if which == "latest" else _moment(which)
        found = await self.latest(source, moment)
        if found is None:
            raise SnapshotNotFoundError(await self._no_snapshot(source, which))
        return found

    async def _no_snapshot(self, source: Source, which: str) -> str:
        names = await self.names(source)
        if not names:
            known = [str(each) for each in await self.sources()]
            return f"There is no snapshot of {source}. " + (
                f"There are snapshots of: {', '.join(known[:20])}." if known else "The container holds none at all."
            )
        return (
            f"There is no complete snapshot '{which}' of {source}: the first one is {names[0].ident}, the last one "
            f"{names[-1].ident}. `drive-backup snapshots {source}` lists them; a partial one is named by its id."
        )

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
            speaks_of = manifest.name
        except (msgspec.MsgspecError, ConfigError, RecursionError) as error:
            raise CorruptStoreError(f"{name.manifest} is no manifest ({error}); use another snapshot.") from error
        if manifest.format_version > FORMAT_VERSION:
            raise CorruptStoreError(
                f"{name.manifest} has format version {manifest.format_version}; update Drive Backup to read it."
            )
        if speaks_of != name:
            raise CorruptStoreError(f"{name.manifest} speaks of {speaks_of.manifest}; use another snapshot.")
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
        """The name of the manifest that :meth:`before` gives."""
        manifest = await self.before(source, instant)
        return manifest.name.manifest if manifest else None

    async def before(self, source: Source, instant: str) -> Manifest | None:
        """The latest complete snapshot of an earlier instant: what a new snapshot follows.

        One that cannot be read is passed over: it must not keep the next backup from being made.
        """
        for name in reversed(await self.names(source)):
            if name.instant < instant:
                manifest = await self.try_read(name)
                if manifest is not None and manifest.status == "complete":
                    return manifest
        return None

    async def last_listing(self, source: Source) -> Origin | None:
        """The listing of the latest complete snapshot that has one: what the change feed goes on from."""
        for name in reversed(await self.names(source)):
            manifest = await self.try_read(name)
            if manifest is not None and manifest.status == "complete" and manifest.listing_complete:
                return manifest.listed
        return None

    async def try_read(self, name: SnapshotName) -> Manifest | None:
        """The manifest, or None when there is none that can be read; a damaged one is logged."""
        try:
            return await self.read(name)
        except CorruptStoreError as error:
            log.warning("%s", error)
            return None
