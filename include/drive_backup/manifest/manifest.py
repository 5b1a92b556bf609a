"""The manifest: the small JSON that commits a snapshot."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from include.drive_backup.blob.names import FORMAT_VERSION, SnapshotName, parse_snapshot
from include.drive_backup.blob.rules import check_name
from include.drive_backup.cost import Cost
from include.drive_backup.handover import Origin, Past
from include.drive_backup.model import ApiUse, Detail, Root, Series, Source, Struct, parse_instant
from include.drive_backup.values import MOST, decode_json

#: What to do when a snapshot cannot be read.
ANOTHER = "Use another snapshot of this source: `drive-backup doctor` says which one is whole."
Kind = Literal["full", "incremental", "as-of"]
Status = Literal["complete", "partial"]


class Part(Struct, frozen=True):
    """One Parquet part of the catalogue."""

    blob: str
    rows: int
    bytes: int
    sha256: str


class Reason(Struct, frozen=True):
    """Why items are not saved: how many, what was said of the first, and some of their paths.

    ``again`` counts those of them that failed in earlier snapshots, too, for the same content; ``since`` is the instant
    of the first of these.
    """

    count: int
    message: str | None = None
    examples: tuple[str, ...] = ()
    again: int = 0
    since: str | None = None


class Details(Struct, frozen=True):
    """What was saved beside the items' content: what the job asked for, items by detail, and the table."""

    asked: tuple[Detail, ...]
    digest: str
    counts: dict[Detail, int] = {}
    parts: tuple[Part, ...] = ()


class Left(Struct, frozen=True):
    """What the snapshot ``base`` had and this one has not: items by state, and the table."""

    base: str
    digest: str
    counts: dict[str, int] = {}
    parts: tuple[Part, ...] = ()


class Erased(Struct, frozen=True):
    """What a person erased from a snapshot: rows of the catalogue, and rows of what left.

    :param record: the folder in the container that says who erased what, and why.
    :param when: an instant.
    """

    record: str
    when: str
    items: int = 0
    left: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds and how it came to be. Times are UTC in the form of instants; sizes are bytes."""

    source: str
    series: str
    instant: str
    generation: int
    kind: Kind
    status: Status
    base: str | None
    listing_complete: bool
    items: int
    counts: dict[str, int]
    bytes: dict[str, int]
    fidelity: dict[str, int]
    left_out: dict[str, int]
    reasons: dict[str, Reason]
    parts: tuple[Part, ...]
    digest: str
    change_token: str | None
    software_version: str
    run_id: str
    started: str
    ended: str
    api: ApiUse
    selection: dict[str, Any] = {}
    by_hand: bool = False
    estimate: Cost | None = None
    cost: Cost | None = None
    details: Details | None = None
    root: Root | None = None
    listed: Origin | None = None
    left: Left | None = None
    past: Past | None = None
    covered: dict[str, int] = {}
    not_covered: dict[str, int] = {}
    erased: tuple[Erased, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def name(self) -> SnapshotName:
        """Where the snapshot is."""
        series = Series(source=Source.parse(self.source), name=self.series)
        return SnapshotName(series=series, instant=self.instant, generation=self.generation)

    @property
    def narrowed(self) -> bool:
        """Whether somebody narrowed its run by hand, so that it does not stand for what its job selects."""
        return self.name.series.narrowed

    def to_json(self) -> builtins.bytes:
        """As stored: indented, for people."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    @property
    def beside(self) -> tuple[Part, ...]:
        """The parts of the tables beside the catalogue."""
        return (*(self.details.parts if self.details else ()), *(self.left.parts if self.left else ()))

    @classmethod
    def from_json(cls, data: builtins.bytes) -> Manifest:
        """The inverse of :meth:`to_json`.

        :raises ValueError: it is no manifest, or says what no run of ours writes.
        """
        manifest = decode_json(data, cls)
        _check(manifest)
        return manifest


def _check(manifest: Manifest) -> None:
    """Others can write into the container, too: a value that would stop its reader is refused where it is read.

    :raises ValueError: an instant, a count or the name of a blob is not one.
    """
    for instant in _instants(manifest):
        parse_instant(instant)
    counts = (manifest.items, manifest.counts, manifest.bytes, manifest.fidelity, manifest.left_out, manifest.reasons)
    _check_counts(msgspec.to_builtins((counts, manifest.covered, manifest.not_covered, manifest.listed)))
    _check_counts([count for each in manifest.erased for count in (each.items, each.left)])
    folder = manifest.name.prefix
    for part in (*manifest.parts, *manifest.beside):
        if not part.blob.startswith(folder) or "/" in part.blob.removeprefix(folder) or part.blob == folder:
            raise ValueError(f"{part.blob!a:.100} is no part of {folder}")
        _check_counts([part.rows, part.bytes])
    if manifest.listed is not None:
        check_name(f"{manifest.listed.work}/listing")
    for name in _manifests(manifest):
        if (found := parse_snapshot(name)) is None or found.manifest != name:
            raise ValueError(f"{name!a:.100} is no manifest")


def _instants(manifest: Manifest) -> Iterator[str]:
    yield from (manifest.instant, manifest.started, manifest.ended)
    yield from (each.when for each in manifest.erased)
    yield from (reason.since for reason in manifest.reasons.values() if reason.since is not None)
    if (listed := manifest.listed) is not None:
        yield from (listed.started, listed.last_full)
        if listed.unproven is not None:
            yield listed.unproven


def _manifests(manifest: Manifest) -> Iterator[str]:
    """The names of other manifests that it names."""
    named = [manifest.base, manifest.left.base if manifest.left else None]
    if manifest.past is not None:
        named += [manifest.past.before, manifest.past.after]
    yield from (name for name in named if name is not None)


def _check_counts(value: Any) -> None:
    if isinstance(value, int) and not 0 <= value <= MOST:
        raise ValueError(f"{value} is no count")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check_counts(each)
