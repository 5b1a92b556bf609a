"""Which snapshots of one series are kept, and why. Pure: nothing is read, nothing is deleted here.

A snapshot without a reason may go. Whatever the rules say, the newest complete snapshot and everything after it stay.

A snapshot may lack something: it is partial, it was made late (``as-of``), or it refers to content that is known to be
damaged. One that lacks nothing is never displaced by one that does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from include.drive_backup.manifest.manifest import Status
from include.drive_backup.model import Struct, parse_instant
from include.drive_backup.retention.tiers import TierRules


class Keep(Struct, frozen=True):
    """The keep rules. Each number counts periods that have a snapshot; 0 keeps none by that rule.

    :param last: the newest ones, whatever their age.
    :param hourly: one of each hour; ``daily``, ``weekly`` (ISO weeks), ``monthly`` and ``yearly`` likewise.
    :param within_days: all that are younger, counted from the newest one, so that nothing is lost to a pause of months.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_days: int = 0

    @property
    def empty(self) -> bool:
        """Is there no rule at all? Then nobody has said what may go."""
        return self == Keep()


class Policy(Struct, frozen=True):
    """What may go.

    :param grace_days: content that nothing refers to stays so long after it was written, by Blob Storage's own clock:
        a run may be about to refer to it.
    :param brake_percent: of the content's bytes; to delete more needs a person's word.
    :param timezone: in which days, weeks, months and years begin.
    :param tiers: what moves to cooler tiers.
    :param approved: a person has seen what these rules delete in this container.
    """

    keep: Keep = Keep()
    grace_days: float = 7.0
    brake_percent: float = 20.0
    timezone: str = "UTC"
    tiers: TierRules = TierRules()
    approved: bool = True

    @property
    def grace(self) -> timedelta:
        """As a duration."""
        return timedelta(days=self.grace_days)


class Candidate(Struct, frozen=True):
    """One committed snapshot, as far as the rules look at it.

    :param name: its series and its folder, e.g. ``default/20261123T000000.000Z`` or
        ``default/20261123T000000.000Z.2``.
    :param held: tags that forbid its deletion (legal holds).
    :param readers: who reads it now: ``being restored by …``.
    :param needed: which snapshots of other sources rely on it.
    :param late: it was made late, so that it may lack what its instant had.
    :param damaged: how many of its contents are on record as damaged or lost.
    """

    name: str
    instant: str
    generation: int
    status: Status
    held: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    late: bool = False
    damaged: int = 0

    @property
    def moment(self) -> datetime:
        """Its instant."""
        return parse_instant(self.instant)

    @property
    def complete(self) -> bool:
        """Has it all that was listed?"""
        return self.status == "complete"

    @property
    def lacks(self) -> int:
        """In how many ways it may lack something."""
        return (not self.complete) + self.late + (self.damaged > 0)


class Verdict(Struct, frozen=True):
    """A snapshot and the reasons for which it is kept; without any it may go."""

    snapshot: Candidate
    reasons: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Does it stay?"""
        return bool(self.reasons)


_PERIODS: dict[str, Callable[[datetime], str]] = {
    "hourly": lambda moment: f"{moment:%Y-%m-%d %H}h",
    "daily": lambda moment: f"{moment:%Y-%m-%d}",
    "weekly": lambda moment: f"{moment:%G-W%V}",
    "monthly": lambda moment: f"{moment:%Y-%m}",
    "yearly": lambda moment: f"{moment:%Y}",
}


def judge(snapshots: Iterable[Candidate], keep: Keep, zone: tzinfo = UTC) -> list[Verdict]:
    """Judge all snapshots of one series; newest first.

    Rules choose among the instants: of the generations of an instant what :func:`_stands` says, and of the snapshots of
    a period as well.

    :param zone: in which days, weeks, months and years begin.
    """
    ordered = sorted(snapshots, key=lambda each: (each.instant, each.generation), reverse=True)
    read = _read(ordered)
    reasons: dict[str, list[str]] = {
        each.name: [*(f"held: {tag}" for tag in each.held), *each.readers, *each.needed] for each in ordered
    }
    for name, reason in (*_always(ordered), *_last(read, keep.last), *_within(read, keep.within_days)):
        reasons[name].append(reason)
    for rule, period in _PERIODS.items():
        for name, reason in _periodic(read, getattr(keep, rule), rule, period, zone):
            reasons[name].append(reason)
    if keep.empty:
        for each in ordered:
            reasons[each.name].append("no keep rule is set")
    return [Verdict(snapshot=each, reasons=tuple(reasons[each.name])) for each in ordered]


#: Of each the less the better.
_LACKS: tuple[Callable[[Candidate], int], ...] = (
    lambda each: not each.complete,
    lambda each: each.late,
    lambda each: each.damaged,
)


def _stands(group: Sequence[Candidate]) -> list[Candidate]:
    """What stands for an instant or a period: the newest one that lacks nothing.

    Where there is none, the best complete one, the best made on time, and the least damaged one: each may hold what the
    others do not.

    :param group: newest first.
    """
    best = min(group, key=lambda each: each.lacks)
    if not best.lacks:
        return [best]
    found = [min(group, key=lambda each: (lack(each), each.lacks)) for lack in _LACKS]
    return [each for each in group if each in found]


def _grouped(candidates: Iterable[Candidate], key: Callable[[Candidate], str]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = {}
    for each in candidates:
        found.setdefault(key(each), []).append(each)
    return found


def _read(ordered: Sequence[Candidate]) -> list[Candidate]:
    """What stands for each instant, newest first."""
    groups = _grouped(ordered, lambda each: each.instant).values()
    return [each for group in groups for each in _stands(group)]


def _always(ordered: Sequence[Candidate]) -> Iterable[tuple[str, str]]:
    """The newest complete one, what came after it, and what lacks less: each may hold what nothing else holds."""
    for number, each in enumerate(ordered):
        if each.complete:
            yield each.name, "newest complete"
            before = ordered[number + 1 :]
            yield from ((less.name, "may hold what newer ones lack") for less in _stands(ordered) if less in before)
            return
        yield each.name, "newer than the newest complete"


def _last(read: Sequence[Candidate], count: int) -> Iterable[tuple[str, str]]:
    numbers = {instant: number for number, instant in enumerate(_grouped(read, lambda each: each.instant), 1)}
    return ((each.name, f"last {numbers[each.instant]}") for each in read if numbers[each.instant] <= count)


def _within(read: Sequence[Candidate], days: int) -> Iterable[tuple[str, str]]:
    for each in read:
        if days and read[0].moment - each.moment <= timedelta(days=days):
            yield each.name, f"within {days} days"


def _periodic(
    read: Sequence[Candidate], count: int, rule: str, period: Callable[[datetime], str], zone: tzinfo
) -> Iterable[tuple[str, str]]:
    periods = _grouped(read, lambda each: period(each.moment.astimezone(zone)))
    for key, group in itertools.islice(periods.items(), count):
        for each in _stands(group):
            yield each.name, f"{rule} {key}"
