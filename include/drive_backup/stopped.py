"""Sources of a job that have snapshots and are not backed up any more: said loudly once, and settled by a person.

A pattern such as ``users/*`` may stop finding a source, or find it suspended, without any task failing. The first run
that notices writes a record and fails; later ones only report it, until a person settles it:

    stopped/<source>/<series>/<id of its last snapshot>.json
    stopped/<source>/<series>/<id of its last snapshot>.settled.json

A source that is backed up again has another last snapshot, so that its next stop is a new one. Who left (the Directory
says that the account is suspended, or was deleted) is recorded in the same way, and no run fails for it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import msgspec

from include.drive_backup.blob.names import SnapshotName, stopped_name
from include.drive_backup.groups import DELETED, SUSPENDED, Listed
from include.drive_backup.manifest.ended import settled_at, since_the_job
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source, Struct, format_instant
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.values import decode_json

log = logging.getLogger(__name__)

_JSON = "application/json"
_LEFT = (SUSPENDED, DELETED)
_NOT_FOUND = "The job's sources do not find it any more: it was deleted, is out of reach, or the job does not name it."


class Stopped(Struct, frozen=True):
    """A source that is not backed up any more.

    :param snapshot: the id of its last snapshot.
    :param reason: a stable word, e.g. ``suspended``; ``notFound`` when the job's sources do not find it.
    :param run: the run that noticed it.
    :param noticed: when, as an instant.
    """

    source: str
    series: str
    snapshot: str
    reason: str
    message: str
    run: str
    noticed: str

    @property
    def left(self) -> bool:
        """Whether its person left, as the Directory says itself: that is kept, and alarms nobody."""
        return self.reason in _LEFT

    def __str__(self) -> str:
        if self.left:
            return (
                f"{self.source} has left ({self.reason}): its last snapshot is {self.snapshot}, and it is kept. "
                f"{self.message} Nothing has to be done: retention keeps the newest complete snapshot of each series. "
                f"To have no more word of it: drive-backup settle {self.source} --series {self.series}"
            )
        return (
            f"{self.source} is not backed up any more ({self.reason}); its last snapshot is {self.snapshot}. "
            f"{self.message} If that is meant, say so: drive-backup settle {self.source} --series {self.series}"
        )


class Settled(Struct, frozen=True):
    """A person's word that a source is meant to have stopped."""

    source: str
    series: str
    snapshot: str
    note: str
    settled: str


async def find_stopped(
    store: BlobStore, job: str, run: str, attempted: Collection[str], left_out: Iterable[Listed], clock: Clock
) -> tuple[list[Stopped], list[Stopped]]:
    """The sources of a job with snapshots that this run did not try to back up, and that no person has settled.

    :param attempted: sources that the run backed up, or failed to.
    :param left_out: what it found and left out, with the reasons.
    :return: those that this run notices first, and those that an earlier one recorded.
    """
    reasons = {row.source: row for row in left_out}
    repository = SnapshotRepository(store)
    new, known = list[Stopped](), list[Stopped]()
    for series in await repository.all_series():
        if series.name != job or str(series.source) in attempted:
            continue
        since = await since_the_job(await repository.names(series), repository.try_read)
        if not since or await settled_at(store, since):
            continue
        last = since[0]
        recorded = await _recorded(store, last)
        if recorded is not None and recorded.run != run:
            known.append(recorded)
        else:
            new.append(_stopped(last, reasons.get(str(series.source)), run, clock))
    return new, known


async def _recorded(store: BlobStore, last: SnapshotName) -> Stopped | None:
    data = await store.read(stopped_name(last.series, last.ident))
    try:
        return None if data is None else decode_json(data, Stopped)
    except ValueError as error:
        log.warning("The record of %s cannot be read, so it counts as new: %s", last.series, error)
        return None


def _stopped(last: SnapshotName, why: Listed | None, run: str, clock: Clock) -> Stopped:
    return Stopped(
        source=str(last.source),
        series=last.series.name,
        snapshot=last.ident,
        reason=why.reason if why else "notFound",
        message=why.message if why else _NOT_FOUND,
        run=run,
        noticed=format_instant(clock.now()),
    )


async def record_stopped(store: BlobStore, found: Iterable[Stopped]) -> None:
    """Write down what was said, so that the next run need not fail for it."""
    for stopped in found:
        series = Series(source=Source.parse(stopped.source), name=stopped.series)
        await store.put(stopped_name(series, stopped.snapshot), msgspec.json.encode(stopped), content_type=_JSON)


async def state_of(store: BlobStore, series: Series) -> Stopped | Settled | None:
    """What is on record of a series that has snapshots; None: nothing, it goes on.

    What a person saved by hand since changes nothing about that.
    """
    repository = SnapshotRepository(store)
    names = await repository.names(series)
    since = await since_the_job(names, repository.try_read)
    settled = await settled_at(store, since or names)
    if settled is not None:
        return await _settled(store, settled)
    return await _recorded(store, since[0]) if since else None


async def _settled(store: BlobStore, last: SnapshotName) -> Settled:
    data = await store.read(stopped_name(last.series, last.ident, settled=True))
    try:
        return decode_json(data or b"", Settled)
    except ValueError:
        return Settled(
            source=str(last.source), series=last.series.name, snapshot=last.ident, note="", settled=last.instant
        )


async def settle(store: BlobStore, series: Series, note: str, clock: Clock) -> SnapshotName:
    """Say that a source is meant to have stopped: what is stored of it is kept, and nobody is alarmed.

    :return: its last snapshot.
    :raises SnapshotNotFoundError: it has none.
    """
    last = (await SnapshotRepository(store).some_names(series.source, series.name))[-1]
    settled = Settled(
        source=str(series.source),
        series=series.name,
        snapshot=last.ident,
        note=note,
        settled=format_instant(clock.now()),
    )
    await store.put(stopped_name(series, last.ident, settled=True), msgspec.json.encode(settled), content_type=_JSON)
    return last
