"""What a person means who asks for a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import AmbiguousSeriesError, SnapshotNotFoundError
from include.drive_backup.model import Series, Source, format_instant
from include.drive_backup.moments import read_moment


def choose_series(names: Sequence[SnapshotName], *, or_narrowed: bool = False) -> Series:
    """The series that a person means who names none: the job's.

    :param names: of snapshots of one source, at least one.
    :param or_narrowed: where there is none of a job, take one that was selected by hand, if there is only one.
    :raises AmbiguousSeriesError: several could be meant, or all were selected by hand.
    """
    found = sorted({name.series for name in names}, key=lambda series: series.name)
    jobs = [series for series in found if not series.narrowed]
    if len(jobs) == 1:
        return jobs[0]
    source, listed = found[0].source, ", ".join(series.name for series in jobs or found)
    if jobs:
        raise AmbiguousSeriesError(
            f"Several jobs back up {source}, each with snapshots of its own: {listed}. Say which series: --series NAME "
            "on the command line, the field 'series' in Airflow."
        )
    if or_narrowed and len(found) == 1:
        return found[0]
    raise AmbiguousSeriesError(
        f"There are only snapshots of {source} that were selected by hand, of the series {listed}; they do not "
        "stand for what a job saves. To use one, say which series: --series NAME on the command line, the field "
        "'series' in Airflow."
    )


def of_one_series(series: str | None, which: str) -> tuple[str, str]:
    """The series and the snapshot that ``<series>/<id>`` names.

    :raises SnapshotNotFoundError: another series was asked for.
    """
    named, _, ident = which.partition("/")
    if series not in (None, named):
        raise SnapshotNotFoundError(f"'{which}' names the series '{named}', and '{series}' was asked for. Say one.")
    return named, ident


def moment_of(text: str, zone: tzinfo) -> str:
    """A person's time as an instant.

    :raises SnapshotNotFoundError: it is neither a time nor an id of a snapshot.
    """
    moment = read_moment(text, zone)
    if moment is None:
        raise SnapshotNotFoundError(
            f"'{text}' is neither the id of a snapshot nor a time. Write 'latest', an id such as 20261123T000000.000Z, "
            "or a time such as 2026-11-23 (the end of that day) or 2026-11-23T18:00+01:00."
        )
    return format_instant(moment)


def no_such(which: str, source: Source) -> str:
    """What to say when there is no snapshot of an id."""
    return (
        f"There is no snapshot {which} of {source}; it may have been deleted. `drive-backup snapshots {source}` lists "
        "what there is. For the newest one of that moment write a time, such as 2026-11-23T18:00."
    )


def no_complete(names: Sequence[SnapshotName], which: str) -> str:
    """What to say when there is no complete snapshot in a series.

    :param names: of all its snapshots.
    """
    series = names[0].series
    return (
        f"There is no complete snapshot '{which}' of {series}: the first one is {names[0].ident}, the last one "
        f"{names[-1].ident}. `drive-backup snapshots {series.source}` lists them; a partial one is named by its id."
    )
