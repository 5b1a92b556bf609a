"""Which snapshots of one series are kept, and why. Pure: nothing is read, nothing is deleted here.

A snapshot without a reason may go. Whatever the rules say, the newest complete snapshot and everything after it stay.
"""

from __future__ import annotations

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
    """

    keep: Keep = Keep()
    grace_days: float = 7.0
    brake_percent: float = 20.0
    timezone: str = "UTC"
    tiers: TierRules = TierRules()

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
    """

    name: str
    instant: str
    generation: int
    status: Status
    held: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    @property
    def moment(self) -> datetime:
        """Its instant."""
        return parse_instant(self.instant)


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

    Rules choose among the instants that readers see: of the generations of an instant the newest complete one, else the
    newest. In a period that has a complete snapshot, a partial one is not chosen.

    :param zone: in which days, weeks, months and years begin.
    """
    ordered = sorted(snapshots, key=lambda each: (each.instant, each.generation), reverse=True)
    read = _read(ordered)
    reasons: dict[str, list[str]] = {
        each.name: [*(f"held: {tag}" for tag in each.held), *each.readers] for each in ordered
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


def _read(ordered: Sequence[Candidate]) -> list[Candidate]:
    """Of each instant what a reader takes, newest first."""
    best: dict[str, Candidate] = {}
    for each in ordered:
        known = best.setdefault(each.instant, each)
        if known.status != "complete" and each.status == "complete":
            best[each.instant] = each
    return list(best.values())


def _always(ordered: Sequence[Candidate]) -> Iterable[tuple[str, str]]:
    """The newest complete one, and what came after it: it may hold what nothing else holds."""
    for each in ordered:
        if each.status == "complete":
            yield each.name, "newest complete"
            return
        yield each.name, "newer than the newest complete"


def _last(read: Sequence[Candidate], count: int) -> Iterable[tuple[str, str]]:
    return ((each.name, f"last {number}") for number, each in enumerate(read[:count], 1))


def _within(read: Sequence[Candidate], days: int) -> Iterable[tuple[str, str]]:
    for each in read:
        if days and read[0].moment - each.moment <= timedelta(days=days):
            yield each.name, f"within {days} days"


def _periodic(
    read: Sequence[Candidate], count: int, rule: str, period: Callable[[datetime], str], zone: tzinfo
) -> Iterable[tuple[str, str]]:
    chosen: dict[str, Candidate] = {}
    for each in read:
        key = period(each.moment.astimezone(zone))
        if key not in chosen and len(chosen) == count:
            break
        known = chosen.setdefault(key, each)
        if known.status != "complete" and each.status == "complete":
            chosen[key] = each
    return ((each.name, f"{rule} {key}") for key, each in chosen.items()) if count else ()
