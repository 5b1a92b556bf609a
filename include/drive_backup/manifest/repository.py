"""Find and read snapshots."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, tzinfo

from include.drive_backup.blob.names import (
    FORMAT_VERSION,
    SnapshotName,
    parse_snapshot,
    snapshots_prefix,
)
from include.drive_backup.errors import (
    UNREADABLE,
    AmbiguousSeriesError,
    ConfigError,
    CorruptStoreError,
    SnapshotNotFoundError,
)
from include.drive_backup.handover import Origin
from include.drive_backup.manifest.catalogue import lost_part, sizes_of
from include.drive_backup.manifest.choice import choose_series, moment_of, no_complete, no_such, of_one_series
from include.drive_backup.manifest.ended import settled_at, since_the_job
from include.drive_backup.manifest.found import Found, Unreadable, unreadable_text
from include.drive_backup.manifest.manifest import ANOTHER, Manifest
from include.drive_backup.manifest.void import VOID_MANIFEST, committed_names
from include.drive_backup.model import Series, Source
from include.drive_backup.ports import BlobStore

log = logging.getLogger(__name__)

_LAST = "99991231T235959.999Z"
#: An id is not taken for a time: whoever names a snapshot that is gone must not get an earlier one.
_IDENT = re.compile(r"\d{8}T\d{6}\.\d{3}Z(?:\.\d+)?", re.ASCII)


class SnapshotRepository:
    """The snapshots in a container. What follows what, and what is the latest, holds within one series.

    :param store: the container.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    async def all_series(self) -> list[Series]:
        """The series that have a committed snapshot, by source and name."""
        found = {name.series for name in await committed_names(self._store, "snapshots/")}
        return sorted(found, key=lambda series: (str(series.source), series.name))

    async def sources(self) -> list[Source]:
        """The sources that have a committed snapshot, in the order of their names."""
        return list(dict.fromkeys(series.source for series in await self.all_series()))

    async def job_series(self, source: Source) -> list[Series]:
        """The series of a source that jobs make, without those that were selected by hand."""
        found = {name.series for name in await self.names(source) if not name.series.narrowed}
        return sorted(found, key=lambda series: series.name)

    async def names(self, of: Source | Series) -> list[SnapshotName]:
        """The committed snapshots of a series, or of all series of a source.

        :return: oldest instant first, generations ascending.
        """
        found = await committed_names(self._store, snapshots_prefix(of))
        return sorted(found, key=lambda name: (name.instant, name.generation, name.series.name))

    async def names_in(self, source: Source, series: str | None) -> list[SnapshotName]:
        """As :meth:`names`, of the series of this name, or of all when None is named."""
        return [name for name in await self.names(source) if series in (None, name.series.name)]

    async def some_names(self, source: Source, series: str | None) -> list[SnapshotName]:
        """As :meth:`names_in`, at least one.

        :raises SnapshotNotFoundError: there is none; says which there are.
        """
        names = await self.names_in(source, series)
        if not names:
            raise SnapshotNotFoundError(await self._nothing(source, series))
        return names

    async def find(
        self, source: Source, which: str = "latest", series: str | None = None, zone: tzinfo = UTC
    ) -> Manifest:
        """The manifest of what :meth:`choose` gives; for those who have nobody to tell more."""
        return (await self.choose(source, which, series, zone)).manifest

    async def choose(
        self, source: Source, which: str = "latest", series: str | None = None, zone: tzinfo = UTC
    ) -> Found:
        """The snapshot that a person means.

        :param which: ``latest``; a snapshot's id (its folder, also of a partial one), also as ``<series>/<id>``; or a
            time in ISO 8601, of which a date means its end: the newest complete snapshot not later that can be read.
        :param series: the name of the series to look in; None: that of the job.
        :param zone: in which a time is that names no zone.
        :raises SnapshotNotFoundError: there is none; says which there are.
        :raises AmbiguousSeriesError: several jobs have this source, and no series was named.
        :raises CorruptStoreError: it is damaged, or all that could be meant are.
        """
        name = await self.named(source, which, series)
        if name is not None and (manifest := await self._read_asked(name)) is not None:
            return Found(manifest=manifest, asked=which)
        if "/" in which:
            series, which = of_one_series(series, which)
        if _IDENT.fullmatch(which):
            raise SnapshotNotFoundError(no_such(which, source))
        moment = None if which == "latest" else moment_of(which, zone)
        names = await self.some_names(source, series)
        chosen = await self._choose(names, or_narrowed=series is not None)
        found = await self.newest(chosen, moment or _LAST)
        if found is None:
            raise SnapshotNotFoundError(no_complete([name for name in names if name.series == chosen], which))
        return replace(found, asked=which, moment=moment)

    async def _read_asked(self, name: SnapshotName) -> Manifest | None:
        try:
            return await self.read(name)
        except CorruptStoreError as error:
            raise CorruptStoreError(f"{error} {ANOTHER}") from error

    async def named(self, source: Source, which: str, series: str | None = None) -> SnapshotName | None:
        """The committed snapshot of an id, be its manifest readable or not; None: there is none.

        :param which: as for :meth:`choose`.
        :raises SnapshotNotFoundError: there is no snapshot of the source at all.
        :raises AmbiguousSeriesError: several jobs have a snapshot of this id.
        """
        if "/" in which:
            series, which = of_one_series(series, which)
        same = [name for name in await self.some_names(source, series) if name.ident == which]
        if not same:
            return None
        chosen = await self._choose(same, or_narrowed=True)
        return next(name for name in same if name.series == chosen)

    async def _choose(self, names: Sequence[SnapshotName], *, or_narrowed: bool) -> Series:
        """As :func:`choose_series`; where several jobs could be meant, not those that a person has settled as ended."""
        try:
            return choose_series(names, or_narrowed=or_narrowed)
        except AmbiguousSeriesError:
            ended = {series for series in {name.series for name in names} if await self._is_settled(series)}
            going_on = [name for name in names if name.series not in ended]
            if not going_on:
                raise
            return choose_series(going_on, or_narrowed=or_narrowed)

    async def _is_settled(self, series: Series) -> bool:
        names = await self.names(series)
        return await settled_at(self._store, await since_the_job(names, self.try_read) or names) is not None

    async def _nothing(self, source: Source, series: str | None) -> str:
        of_source = sorted({name.series.name for name in await self.names(source)})
        if of_source:
            return f"There is no series '{series}' of {source}. There is: {', '.join(of_source)}."
        known = [str(each) for each in await self.sources()]
        return f"There is no snapshot of {source}. " + (
            f"There are snapshots of: {', '.join(known[:20])}." if known else "The container holds none at all."
        )

    async def generations(self, series: Series, instant: str) -> list[SnapshotName]:
        """Every generation of an instant that anything was written of, committed or not."""
        found = set()
        async for blob in self._store.list(f"{snapshots_prefix(series)}{instant}"):
            name = parse_snapshot(blob.name)
            if name is not None and name.instant == instant:
                found.add(name)
        return sorted(found, key=lambda name: name.generation)

    async def read(self, name: SnapshotName) -> Manifest | None:
        """The manifest, or None when this snapshot was not committed, or lost its commit.

        :raises CorruptStoreError: it cannot be read, or is of a newer format.
        """
        data = await self._store.read(name.manifest)
        # In this order: the mark is written after the manifest.
        if data is None or data == VOID_MANIFEST or await self._store.head(name.void) is not None:
            return None
        try:
            manifest = Manifest.from_json(data)
            speaks_of = manifest.name
        except (ValueError, ConfigError) as error:
            raise CorruptStoreError(f"{name.manifest} is no manifest ({error}).") from error
        if manifest.format_version > FORMAT_VERSION:
            raise CorruptStoreError(
                f"{name.manifest} has format version {manifest.format_version}; update Drive Backup to read it."
            )
        if speaks_of != name:
            raise CorruptStoreError(f"{name.manifest} speaks of {speaks_of.manifest}.")
        return manifest

    async def is_there(self, name: SnapshotName) -> bool:
        """Whether it is committed, be its manifest readable or not."""
        try:
            return await self.read(name) is not None
        except UNREADABLE:
            return True

    async def latest(self, series: Series, not_after: str, *, complete_only: bool = True) -> Manifest | None:
        """As :meth:`newest`, for those who have nobody to tell what was passed over.

        :param not_after: an instant as text.
        """
        found = await self.newest(series, not_after, complete_only=complete_only)
        return found.manifest if found else None

    async def newest(self, series: Series, not_after: str, *, complete_only: bool = True) -> Found | None:
        """The newest snapshot not after an instant that can be read, and what was passed over for it.

        Of the generations of an instant it is the newest (complete) one.

        :param not_after: an instant as text.
        :raises CorruptStoreError: there may be some, and none can be read.
        """
        partial, damaged = list[str](), list[Unreadable]()
        for name in reversed(await self.names(series)):
            manifest = None if name.instant > not_after else await self._read_or_note(name, damaged)
            if manifest is None:
                continue
            if complete_only and manifest.status != "complete":
                partial.append(name.ident)
            elif (lost := lost_part(manifest, await sizes_of(self._store, name.prefix))) is None:
                return Found(manifest=manifest, partial=tuple(partial), damaged=tuple(damaged))
            elif await self.is_there(name):
                # Else retention has just deleted it.
                damaged.append(Unreadable(name, lost))
        if damaged:
            raise CorruptStoreError(f"No complete snapshot of {series} can be read. {unreadable_text(damaged)}")
        return None

    async def _read_or_note(self, name: SnapshotName, damaged: list[Unreadable]) -> Manifest | None:
        try:
            return await self.read(name)
        except UNREADABLE as error:
            damaged.append(Unreadable(name, str(error)))
            return None

    async def base_for(self, series: Series, instant: str) -> str | None:
        """The name of the manifest that :meth:`before` gives."""
        manifest = await self.before(series, instant)
        return manifest.name.manifest if manifest else None

    async def before(self, series: Series, instant: str) -> Manifest | None:
        """The latest snapshot of an earlier instant that lists all that was there: what a new snapshot follows.

        Content that it lacks does not matter here: what a source held is known from its listing. Of one instant, the
        snapshot that readers take comes first. One that cannot be read is passed over: it must not keep the next
        backup from being made.
        """
        newest: Manifest | None = None
        for name in reversed(await self.names(series)):
            if name.instant >= instant:
                continue
            if newest is not None and name.instant != newest.instant:
                break
            manifest = await self.try_read(name)
            if manifest is not None and manifest.status == "complete":
                return manifest
            if manifest is not None and manifest.listing_complete:
                newest = newest or manifest
        return newest

    async def last_try(self, series: Series, instant: str) -> Manifest | None:
        """The latest snapshot of an earlier instant, whatever it lacks: it says what failed last."""
        for name in reversed(await self.names(series)):
            manifest = await self.try_read(name) if name.instant < instant else None
            if manifest is not None:
                return manifest
        return None

    async def last_listing(self, series: Series) -> Origin | None:
        """The listing of the latest snapshot whose listing is complete: what the change feed goes on from.

        Items whose content failed are in it like all others; whether their content is stored is asked of the container.
        """
        for name in reversed(await self.names(series)):
            manifest = await self.try_read(name)
            if manifest is not None and manifest.listing_complete:
                return manifest.listed
        return None

    async def try_read(self, name: SnapshotName) -> Manifest | None:
        """The manifest, or None when there is none that can be read; a damaged one is logged."""
        try:
            return await self.read(name)
        except UNREADABLE as error:
            log.warning("%s", error)
            return None
