"""The verification of one source from beginning to end, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, tzinfo

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import CorruptStoreError, SnapshotNotFoundError
from include.drive_backup.manifest.choice import of_one_series
from include.drive_backup.manifest.found import Found
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


async def choose(
    store: BlobStore,
    source: Source,
    at: str = "all",
    series: str | None = None,
    zone: tzinfo = UTC,
    note: Callable[[str], None] = lambda _: None,
) -> list[SnapshotName]:
    """The snapshots that a person means, and newer ones that cannot be read: these may be what is meant.

    :param at: ``all``, or as for :meth:`.repository.SnapshotRepository.choose`. An id means all snapshots of that id,
        be they selected by hand or not; ``latest`` and a time mean one of each job that has the source.
    :param series: only of this one; None: all of them.
    :param zone: in which a time is that names no zone.
    :param note: gets sentences on what was chosen.
    :return: where none of those that may be meant can be read, all.
    :raises SnapshotNotFoundError: there is none.
    """
    repository = SnapshotRepository(store)
    if "/" in at:
        series, at = of_one_series(series, at)
    names = await repository.some_names(source, series)
    chosen = names if at == "all" else [name for name in names if name.ident == at]
    return chosen or await _choose_of_each(repository, names, at, series, zone, note)


async def _choose_of_each(
    repository: SnapshotRepository,
    names: Sequence[SnapshotName],
    at: str,
    series: str | None,
    zone: tzinfo,
    note: Callable[[str], None],
) -> list[SnapshotName]:
    """What ``latest`` or a time means in each series of a job, or in the one that was named."""
    jobs = {name.series.name for name in names if series or not name.series.narrowed}
    chosen, nothing = list[SnapshotName](), list[SnapshotNotFoundError]()
    for each in [series] if series or len(jobs) <= 1 else sorted(jobs):
        try:
            chosen += _names(await repository.choose(names[0].source, at, each, zone), note)
        except SnapshotNotFoundError as error:
            nothing.append(error)
        except CorruptStoreError:
            chosen += [name for name in names if each in (None, name.series.name)]
    if not chosen:
        raise nothing[0]
    return chosen


def _names(found: Found, note: Callable[[str], None]) -> list[SnapshotName]:
    for text in found.notes:
        note(text)
    return [*(each.name for each in found.damaged), found.manifest.name]


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
        if not read.unread:
            await mark_read(store, source, sample)
    return Verified(checked=checked, read=read, damages=tuple(damages))


async def _each(references: Sequence[Reference]) -> AsyncIterator[Reference]:
    for reference in references:
        yield reference
