"""The verification of one source from beginning to end, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import SnapshotNotFoundError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore
from include.drive_backup.verification.describe import describe, record
from include.drive_backup.verification.listing import check_source
from include.drive_backup.verification.model import Checked, Damage, Depth, ReadAgain, Reference
from include.drive_backup.verification.reading import read_again
from include.drive_backup.verification.sample import EVERYTHING, NOTHING, Sample, due, mark_read

#: Days in which everything is read again.
PERIOD = 28


class Verified(Struct, frozen=True):
    """What was looked at, and what was found."""

    checked: Checked
    read: ReadAgain
    damages: tuple[Damage, ...] = ()


class Watch:
    """Is told how far it is. The default watches nothing."""

    def snapshot(self, ident: str) -> None:
        """A snapshot is checked now."""

    def reading(self, blobs: int, size: int) -> None:
        """So many blobs of so many bytes in all are read now."""

    def read(self, size: int) -> None:
        """One of them is done."""


async def choose(store: BlobStore, source: Source, at: str = "all", series: str | None = None) -> list[SnapshotName]:
    """The snapshots that a person means.

    :param at: ``all``, or as for :meth:`.repository.SnapshotRepository.find`; then of each job that has the source.
    :param series: only of this one; None: all of them.
    :raises SnapshotNotFoundError: there is none.
    :raises CorruptStoreError: the one that is meant is damaged.
    """
    repository = SnapshotRepository(store)
    names = await repository.names_in(source, series)
    if not names:
        where = f"{source} in the series '{series}'" if series else f"{source}"
        raise SnapshotNotFoundError(f"There is no snapshot of {where}; `drive-backup sources` lists what there is.")
    if at == "all":
        return names
    jobs = {name.series.name for name in names if series or not name.series.narrowed}
    if series or len(jobs) <= 1:
        return [(await repository.find(source, at, series)).name]
    found = [await _try_find(repository, source, at, job) for job in sorted(jobs)]
    chosen = [manifest.name for manifest in found if manifest is not None]
    return chosen or [(await repository.find(source, at, min(jobs))).name]


async def _try_find(repository: SnapshotRepository, source: Source, at: str, series: str) -> Manifest | None:
    try:
        return await repository.find(source, at, series)
    except SnapshotNotFoundError:
        return None


async def sample_of(store: BlobStore, source: Source, depth: Depth, period: int, now: datetime) -> Sample:
    """What is to be read again."""
    if depth == "sample":
        return await due(store, source, period, now)
    return EVERYTHING if depth == "all" else NOTHING


async def verify_source(
    store: BlobStore,
    names: Sequence[SnapshotName],
    depth: Depth,
    *,
    now: datetime,
    period: int = PERIOD,
    keep_records: bool = True,
    in_flight: int = 8,
    watch: Watch | None = None,
) -> Verified:
    """Check the listing, read contents again as far as wanted, and say what the damage means.

    :param names: from :func:`choose`.
    :param period: days in which samples cover everything.
    :param keep_records: write down what was found and what was read. Without it nothing is written.
    """
    source, watch = names[0].source, watch or Watch()
    sample = await sample_of(store, source, depth, period, now)
    chosen: list[Reference] = []

    async def take(reference: Reference) -> None:
        chosen.append(reference)

    checked = await check_source(store, names, take, sample=sample, progress=watch.snapshot)
    watch.reading(len(chosen), sum(each.size for each in chosen))
    read = await read_again(store, source, _each(chosen), in_flight=in_flight, progress=watch.read)
    damages = await describe(store, source, (*checked.damages, *read.damages))
    if keep_records:
        await record(store, damages, [(str(source), each) for each in checked.returned])
        await mark_read(store, source, sample)
    return Verified(checked=checked, read=read, damages=tuple(damages))


async def _each(references: Sequence[Reference]) -> AsyncIterator[Reference]:
    for reference in references:
        yield reference
