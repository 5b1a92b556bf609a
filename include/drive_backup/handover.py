"""What one step of a run hands to the next: what to do, and where the work area has the rest. Small, for XCom."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Literal

import msgspec

from include.drive_backup.model import (
    DEFAULT_SERIES,
    ApiUse,
    Detail,
    Mode,
    Series,
    Source,
    Struct,
    counted,
    human_bytes,
    parse_instant,
)

#: A listing that begins later than this after its instant makes an ``as-of`` snapshot.
PUNCTUAL = timedelta(hours=1)


class Filters(Struct, frozen=True):
    """Which items a person wants, beside the globs on paths. Empty filters nothing.

    Sizes are in bytes and hold for files alone, ``modified_since`` is an instant. MIME types and owners are globs.
    """

    folders: tuple[str, ...] = ()
    exclude_folders: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    exclude_mime_types: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    owners: tuple[str, ...] = ()
    modified_since: str | None = None


class SourceTask(Struct, frozen=True):
    """What ``resolve sources`` hands to the tasks of one source. ``subject`` is the user to act as, if any.

    ``asked``: the job names it, so that it is an error when it cannot be read; otherwise a pattern found it.
    ``address``: of a user's source, the one that its person has now, which need not be that of its name.
    ``person``: the ``permissionId`` that the user must have, where it is known.
    ``series``: the name of the series that the snapshot will be of. ``by_hand``: the job does not select this source; a
    person asked for it in this run.
    """

    source: str
    instant: str
    run: str
    series: str = DEFAULT_SERIES
    by_hand: bool = False
    subject: str | None = None
    address: str | None = None
    person: str | None = None
    mode: Mode = "incremental"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filters: Filters = Filters()
    trashed: bool = False
    save: tuple[Detail, ...] = ()
    batch_files: int = 2_000
    batch_bytes: int = 4 * 1024**3
    full_listing_days: int = 7
    dry_run: bool = False
    asked: bool = True

    @property
    def snapshots(self) -> Series:
        """The series that the snapshot will be of."""
        return Series(source=Source.parse(self.source), name=self.series)

    @property
    def selection_mark(self) -> str:
        """Equal for two tasks that select the same items; what is saved beside them does not matter here."""
        items = {name: value for name, value in self.selection.items() if name != "save"}
        return hashlib.sha256(msgspec.json.encode(items, order="sorted")).hexdigest()[:16]

    @property
    def selection(self) -> dict[str, Any]:
        """What is selected of the source, as the manifest records it."""
        return {
            "include": self.include,
            "exclude": self.exclude,
            **self.filters.to_dict(),
            **({"trashed": True} if self.trashed else {}),
            **({"save": self.save} if self.save else {}),
        }


class Missed(Struct, frozen=True):
    """How a full listing differs from what the change feed alone would have given.

    :param unknown_to_feed: items that only the full listing has.
    :param different: items of which the feed had not told a change.
    :param unlisted: items that only the feed knew, and that are there: they were added to the listing.
    :param outdated: items that the listing showed as they were before: they were replaced.
    :param stale: items that only the feed knew, and that Drive does not give to this account, or not in the source.
    :param unsure: items that only the feed knew, and that could not be asked for: the listing is not complete.
    :param examples: some of them, name and id.
    :param entries: why the two could not be compared as a whole, as a stable word: then only items that the feed names
        were looked for in the listing, and asked for where it lacks them.
    :param unknown: why it cannot be told, as a stable word.
    """

    unknown_to_feed: int = 0
    different: int = 0
    unlisted: int = 0
    outdated: int = 0
    stale: int = 0
    unsure: int = 0
    examples: tuple[str, ...] = ()
    entries: str | None = None
    unknown: str | None = None

    @property
    def any(self) -> bool:
        """Is there any difference?"""
        counts = (self.unknown_to_feed, self.different, self.unlisted, self.outdated, self.stale, self.unsure)
        return any(counts)

    @property
    def in_words(self) -> str:
        """For a person."""
        counts = {
            "items of which the feed had not told": self.unknown_to_feed,
            "items that had changed without an entry": self.different,
            "items that the listing lacked, and were added to it": self.unlisted,
            "items that the listing showed as they were before, and were replaced": self.outdated,
            "items that are gone without an entry": self.stale,
            "items that the listing lacks and that could not be asked for": self.unsure,
        }
        told = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)
        return f"{told}; for example {', '.join(self.examples)}" if self.examples else told


class Origin(Struct, frozen=True):
    """How a listing came to be, and what the next one needs to go on from it with the change feed alone.

    :param kind: ``full``: all of Drive's listing was read; ``changes``: an earlier listing and what changed since.
    :param why: of a full one, the reason that the change feed alone would not do.
    :param last_full: instant at which the last full listing began.
    :param token: position of the change feed to go on from.
    :param started: instant at which this listing began.
    :param view: equal for two listings that see the same of Drive: same account and root.
    :param selection: equal for two listings whose jobs select the same.
    :param software: version that asked Drive for its fields.
    :param unproven: of a listing that was not held against anything that tells what it lacks: what came up in Drive
        shortly before this instant may be missing, since Drive lists new items late.
    :param turn: counts the listings of a source, so that each takes its share of items that are asked for in turns.
    :param not_asked: items that Drive refused, or whose folder cannot be seen, and that were not asked for this time.
    :param work: the work area that holds it, in so many ``parts`` (and ``outside``: of folders that are no part of
        the source); it has so many ``items``.
    :param since: the position that the changes were read from, and how many there were.
    :param left: items of the listing before that are gone or in the trash, by why.
    :param missed: of a full one that follows another listing: how it differs from what the change feed tells since.
    """

    kind: Literal["full", "changes"]
    last_full: str
    started: str
    token: str
    view: str
    software: str
    work: str
    parts: int
    selection: str = ""
    items: int = 0
    outside: int = 0
    why: str | None = None
    since: str | None = None
    changes: int = 0
    left: dict[str, int] = {}
    missed: Missed | None = None
    unproven: str | None = None
    turn: int = 0
    not_asked: int = 0


class Witnesses(Struct, frozen=True):
    """What a late run knows of its instant beside what Drive lists now.

    :param before: manifest of the newest complete snapshot whose run was over at the instant.
    :param after: manifest of the oldest snapshot made on time whose listing began after the instant.
    :param changes: parts of what the change feed says since ``before``; None: it says nothing that can be relied on.
    """

    before: str | None = None
    after: str | None = None
    changes: int | None = None


class Told(Struct, frozen=True):
    """How many items are not for certain as they were at the instant, why, and some of their paths."""

    fidelity: str
    count: int
    message: str | None = None
    examples: tuple[str, ...] = ()


class Past(Struct, frozen=True):
    """What a snapshot of a time that is over was made from, and what it could not recover.

    :param before: manifest of the snapshot before the instant, as in :class:`Witnesses`.
    :param feed: whether Drive's change feed told what changed since.
    :param untold: items that may have been there at the instant and have no row: ``removed`` since, and no snapshot
        knows them; ``trashed``, nobody knows when.
    """

    before: str | None = None
    after: str | None = None
    feed: bool = False
    untold: dict[str, int] = {}
    told: tuple[Told, ...] = ()


class Listing(Struct, frozen=True):
    """What ``list source`` hands on: where the listing is and what it holds. ``complete`` is Drive's word for it.

    ``told`` counts the parts of what is known of items that may have left, see :mod:`include.drive_backup.left`.
    ``witnesses`` are there exactly when the listing is ``late`` for its instant. ``closed`` counts folders of
    which Drive does not list to this account what they hold.
    """

    task: SourceTask
    work: str
    parts: int
    items: int
    bytes: int
    root_id: str
    complete: bool
    change_token: str | None
    started: str
    use: ApiUse
    listed: Origin | None = None
    told: int = 0
    closed: int = 0
    witnesses: Witnesses | None = None

    @property
    def late(self) -> bool:
        """Whether so much time went by since the instant that the Drive may look different."""
        return parse_instant(self.started) - parse_instant(self.task.instant) > PUNCTUAL


class BatchRef(Struct, frozen=True):
    """One batch: which orders, how many, how much. Small, for XCom."""

    task: SourceTask
    plan: str
    number: int
    of: int
    parts: int
    files: int
    bytes: int
    details: int = 0

    @property
    def label(self) -> str:
        """The name that a person sees on the mapped task."""
        amount = f"{counted(self.files, 'file')} · {human_bytes(self.bytes)}"
        label = f"{self.task.source} · batch {self.number} of {self.of} · {amount}"
        return f"{label} · details of {counted(self.details, 'item')}" if self.details else label


class LeftRef(Struct, frozen=True):
    """Where the plan has written what the snapshot ``base`` (the name of its manifest) had and the new one has not."""

    base: str
    parts: int


class UnfitGlobs(Struct, frozen=True):
    """Globs of the job that may not mean in this source what their author thinks.

    :param idle: they fit no item.
    :param mistaken: each is the literal name of an item and does not mean it alone; the item's path as it is shown.
    """

    idle: tuple[str, ...] = ()
    mistaken: dict[str, str] = {}


class PlanRef(Struct, frozen=True):
    """What ``plan`` hands to ``commit``: where the decisions are, and their sums.

    ``estimate`` is a dict of :class:`~include.drive_backup.cost.Cost`. ``past`` is there when the listing is late.

    :param covered: of what is shared with a user: how many items were left out because another source of the run holds
        them, by that source.
    :param not_covered: how many are in because the source that they live in was not wholly listed, by that source.
    """

    listing: Listing
    plan: str
    parts: int
    batches: int
    base: str | None
    counts: dict[str, int]
    copy_files: int
    copy_bytes: int
    estimate: dict[str, Any] | None = None
    left: LeftRef | None = None
    past: Past | None = None
    covered: dict[str, int] = {}
    not_covered: dict[str, int] = {}
    unfit_globs: UnfitGlobs = UnfitGlobs()
