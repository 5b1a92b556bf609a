"""The report's lines on how the listing came to be, and on what other sources of the run hold. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from include.drive_backup.handover import Missed
from include.drive_backup.model import parse_instant
from include.drive_backup.report_many import MANY


def covered_lines(summary: Mapping[str, Any], sound: Container[str]) -> Iterator[tuple[str, str]]:
    """Labels and texts; a text may be empty.

    :param sound: the sources that have a complete snapshot of this run.
    """
    yield "covered by", _covered(summary.get("covered") or {}, sound)
    yield "not covered", _not_covered(summary.get("not_covered") or {})


def listing_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Labels and texts; a text may be empty."""
    yield "change feed", _missed(summary.get("missed"))
    yield "change feed", _not_asked(summary.get("not_asked") or 0)
    yield "listing", _unproven(summary.get("unproven"))


def _covered(homes: Mapping[str, int], sound: Container[str]) -> str:
    """The sources whose snapshots hold what was left out of this one."""
    notes = {home: "" if home in sound else ", NOT COMPLETE in this run" for home in homes}
    return _some(f"{home} ({count:,}{notes[home]})" for home, count in _ordered(homes, notes))


def _not_covered(homes: Mapping[str, int]) -> str:
    """The sources that would have held what is in this snapshot, had they been wholly listed."""
    found = _some(f"{home} ({count:,})" for home, count in _ordered(homes, {}))
    return f"saved here, since their own Drive was not wholly listed: {found}" if found else ""


def _ordered(homes: Mapping[str, int], notes: Mapping[str, str]) -> list[tuple[str, int]]:
    return sorted(homes.items(), key=lambda pair: (not notes.get(pair[0]), -pair[1], pair[0]))


def _some(texts: Iterable[str]) -> str:
    found = list(texts)
    more = f" and {len(found) - MANY:,} more" if len(found) > MANY else ""
    return ", ".join(found[:MANY]) + more


def _missed(missed: Mapping[str, Any] | None) -> str:
    """How this full listing differs from what the change feed alone would have given."""
    if missed is None:
        return ""
    found = Missed.from_dict(dict(missed))
    if found.unknown is not None and not found.any:
        return f"could not be held against this full listing ({found.unknown})"
    if found.entries is not None and not found.any:
        return f"could not do alone ({found.entries}); the full listing has all that it names"
    return f"DIFFERS from this full listing: {found.in_words}" if found.any else "told all that this full listing shows"


def _unproven(since: str | None) -> str:
    """That a listing was held against nothing."""
    if since is None:
        return ""
    moment = f"{parse_instant(since):%Y-%m-%d %H:%M} UTC"
    return (
        f"what came up in Drive shortly before {moment} may be missing: Drive lists new items late, and no earlier "
        "listing proves this one. The next run lists everything again"
    )


def _not_asked(count: int) -> str:
    """Items that wait for their turn to be asked for again."""
    return f"{count:,} items that Drive refused or hides are asked for again in later runs" if count else ""
