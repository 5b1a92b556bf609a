"""The manifest: the small JSON that commits a snapshot."""

from __future__ import annotations

import builtins
from typing import Any, Literal

import msgspec

from include.drive_backup.blob.names import FORMAT_VERSION, SnapshotName
from include.drive_backup.cost import Cost
from include.drive_backup.handover import Origin, Past
from include.drive_backup.model import ApiUse, Detail, Root, Series, Source, Struct

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

    count: int = 0
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

        :raises msgspec.MsgspecError: it is no manifest.
        """
        return msgspec.json.decode(data, type=cls)
