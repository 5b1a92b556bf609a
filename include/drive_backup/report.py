"""The last step of a backup: what a person wants to read about a run, and whether the run counts as good. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from include.drive_backup.cost import Cost
from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.groups import Listed
from include.drive_backup.handover import Listing, PlanRef
from include.drive_backup.manifest.left import in_words
from include.drive_backup.manifest.narrowed import selection_text
from include.drive_backup.model import DEFAULT_SERIES, Series, Source, human_bytes, parse_instant
from include.drive_backup.printing import one_line
from include.drive_backup.report_globs import glob_lines
from include.drive_backup.report_listing import covered_lines, listing_lines
from include.drive_backup.report_many import MANY, dry_runs, not_listed, overview
from include.drive_backup.report_past import past_lines
from include.drive_backup.stopped import Stopped

Summary = Mapping[str, Any]

_SAVED = ("copied", "unchanged", "known")
_EXAMPLES = 3
#: Reasons of failed items for which there is nothing to mend: they say when to go on.
_ANOTHER_DAY = ("dailyBudget", "dailyLimitExceeded")


def readable(
    plans: Iterable[Mapping[str, Any]],
    summaries: Iterable[Summary],
    missed: Sequence[Listed] = (),
    stopped: Sequence[Stopped] = (),
) -> str:
    """The report as text, one block per source; of many sources, sums and the blocks that a person must read.

    :param plans: dicts of :class:`~include.drive_backup.handover.PlanRef`.
    :param summaries: what the commits returned.
    :param missed: sources that were not listed.
    :param stopped: sources with snapshots that are not backed up any more.
    """
    plan_refs, done = _plans(plans), list(summaries)
    many = len(plan_refs) > MANY
    blocks = [overview(done, missed)] if many and done else []
    sound = _sound(done)
    blocks += [
        _committed(summary, sound)
        for summary in done
        if not many or any(_problems(summary, sound, fail_on_unavailable=True))
    ]
    dry = [plan for plan in plan_refs if plan.listing.task.dry_run]
    blocks += [dry_runs(dry)] if many and dry else map(_dry_run, dry)
    blocks += [
        [f"{_title(plan.listing)}: NOT COMMITTED, nothing of this run can be restored"]
        for plan in _without_snapshot(plan_refs, done)
    ]
    if missed:
        blocks.append(not_listed(missed))
    planned = [plan.unfit_globs.to_dict() for plan in dry]
    blocks += filter(None, [glob_lines([*(summary.get("unfit_globs") or {} for summary in done), *planned])])
    for title, left in (("NOT BACKED UP ANY MORE, and not settled:", False), ("Left the organisation, kept:", True)):
        if found := [each for each in stopped if each.left == left]:
            blocks.append([title, *(f"  {each}" for each in found)])
    return "\n\n".join("\n".join(map(one_line, block)) for block in blocks) or "Nothing was planned."


def verdict(
    plans: Iterable[Mapping[str, Any]],
    summaries: Iterable[Summary],
    missed: Sequence[Listed] = (),
    *,
    fail_on_unavailable: bool = False,
    stopped: Sequence[Stopped] = (),
) -> None:
    """Raise when the run saved less than everything that it could.

    :param missed: sources that were not listed, or not planned; those that were left out are no problem while there are
        others, unless they hold what is shared with other sources.
    :param fail_on_unavailable: items that Drive refuses for good count, too.
    :param stopped: sources with snapshots that this run was the first to find no longer backed up.
    :raises SnapshotIncompleteError: names each source and what is missing.
    """
    done, plan_refs = list(summaries), _plans(plans)
    problems = [
        f"{row.source} was not {'planned' if row.reason == 'notPlanned' else 'listed'}"
        for row in missed
        if row.outcome == "failed"
    ]
    problems += _needed(missed, done) if fail_on_unavailable else []
    if missed and not plan_refs and not problems:
        problems.append(f"all {_number(len(missed))} sources that were found had to be left out")
    sound = _sound(done)
    problems += [
        problem for summary in done for problem in _problems(summary, sound, fail_on_unavailable=fail_on_unavailable)
    ]
    problems += [f"{plan.listing.task.source} was not committed" for plan in _without_snapshot(plan_refs, done)]
    problems += [str(each) for each in stopped if not each.left]
    if problems:
        more = f"; and {_number(len(problems) - MANY)} more" if len(problems) > MANY else ""
        raise SnapshotIncompleteError(
            f"The backup is not complete: {'; '.join(problems[:MANY])}{more}. What could be saved is saved. The report "
            "above and the manifests name the items; run the backup again once their cause is gone."
        )


def _plans(plans: Iterable[Mapping[str, Any]]) -> list[PlanRef]:
    return [PlanRef.from_dict(dict(plan)) for plan in plans]


def _without_snapshot(plans: Sequence[PlanRef], summaries: Sequence[Summary]) -> list[PlanRef]:
    committed = {summary["source"] for summary in summaries}
    tasks = ((plan, plan.listing.task) for plan in plans)
    return [plan for plan, task in tasks if not task.dry_run and task.source not in committed]


def _sound(summaries: Iterable[Summary]) -> set[str]:
    """The sources that have a complete snapshot of this run."""
    return {summary["source"] for summary in summaries if summary["status"] == "complete"}


def _needed(missed: Sequence[Listed], summaries: Sequence[Summary]) -> list[str]:
    """Sources that were left out although what lives in them is shared with other sources: so they are there."""
    shared = Counter[str]()
    for summary in summaries:
        shared.update(summary.get("not_covered") or {})
    return [
        f"{row.source} was left out ({row.reason}), though it is there: {_number(shared[row.source])} items of it are "
        "shared with other sources"
        for row in missed
        if row.outcome == "left_out" and shared[row.source]
    ]


def _problems(summary: Summary, sound: Container[str], *, fail_on_unavailable: bool) -> Iterator[str]:
    source, counts = summary["source"], summary["counts"]
    yield from (found["message"] for reason, found in summary["reasons"].items() if reason in _ANOTHER_DAY)
    if counts.get("failed"):
        yield f"{_number(counts['failed'])} items of {source} could not be copied{_keep_failing(summary)}"
    if not summary["listing_complete"]:
        yield f"Drive did not list all of {source}"
    elif summary["status"] != "complete" and not counts.get("failed"):
        yield f"the snapshot of {source} is partial"
    if fail_on_unavailable and counts.get("unavailable"):
        yield f"Drive does not give {_number(counts['unavailable'])} items of {source}"
    for home in summary.get("covered") or ():
        if home not in sound:
            yield f"{source} relies on {home}, which has no complete snapshot of this run"


def _keep_failing(summary: Summary) -> str:
    """What a person has to know of items that fail run after run; each run asks for them once."""
    kept = [found for found in summary["reasons"].values() if found.get("again")]
    if not kept:
        return ""
    again, oldest = sum(found["again"] for found in kept), min(kept, key=lambda found: found["since"])
    return (
        f" ({_number(again)} of them failed before, the first one since {_moment(parse_instant(oldest['since']))}: "
        f"{str(oldest['message']).rstrip('.')}. See 'Items that keep failing' in docs/troubleshooting.md)"
    )


def _committed(summary: Summary, sound: Container[str]) -> list[str]:
    instant = _moment(parse_instant(summary["instant"]))
    lines = [f"{summary['source']} as of {instant}: {summary['status'].upper()}, {_number(summary['items'])} items"]
    lines += _line("snapshot", _snapshot(summary))
    lines += _line("SELECTED", _by_hand(summary))
    lines += _line("saved", _saved(summary))
    lines += _line("no content", _counted(summary["counts"], {"metadata": "folders, shortcuts and the like"}))
    lines += _line("beside that", _beside(summary.get("details")))
    lines += _reasons(summary)
    lines += _line("left out", _left_out(summary["left_out"]))
    for label, text in covered_lines(summary, sound):
        lines += _line(label, text)
    lines += _line("left since", _left(summary.get("left")))
    for label, text in past_lines(summary):
        lines += _line(label, text)
    for label, text in listing_lines(summary):
        lines += _line(label, text)
    if not summary["listing_complete"]:
        unsure = (summary.get("missed") or {}).get("unsure")
        why = "(what it lacks could not be asked for)" if unsure else "by Drive's own word"
        lines += _line("listing", f"INCOMPLETE {why}; what is missing here is not deleted")
    lines += _line("Drive gave", _spent(summary["api"]))
    lines += _line("estimate", _cost(summary.get("estimate")))
    lines += _line("actual", _cost(summary.get("cost")))
    lines += _line("took", _took(summary))
    return lines


def _dry_run(plan: PlanRef) -> list[str]:
    counts = {name.removeprefix("left_out_"): count for name, count in plan.counts.items()}
    return [
        f"{_title(plan.listing)}: DRY RUN, nothing was copied",
        *_line(
            "would copy",
            f"{_number(plan.copy_files)} content versions, {human_bytes(plan.copy_bytes)}, in {plan.batches} batches",
        ),
        *_line("estimate", _cost(plan.estimate)),
        *_line("plan", ", ".join(f"{_number(count)} {name}" for name, count in sorted(counts.items()))),
    ]


def _title(listing: Listing) -> str:
    return f"{listing.task.source} as of {_moment(parse_instant(listing.task.instant))}"


def _line(label: str, text: str) -> list[str]:
    return [f"  {label:<13} {text}"] if text else []


def _snapshot(summary: Summary) -> str:
    if not summary["created"]:
        return f"{summary['manifest']} (was there already and says the same; nothing was stored)"
    base = f", follows {summary['base']}" if summary["base"] else ""
    return f"{summary['manifest']} ({summary['kind']}{base})"


def _by_hand(summary: Summary) -> str:
    """What was selected by hand, if it was."""
    series = Series(source=Source.parse(summary["source"]), name=summary.get("series", DEFAULT_SERIES))
    if not series.narrowed:
        return ""
    return f"by hand ({selection_text(summary['selection'])}); it does not stand for what the job '{series.job}' saves"


def _saved(summary: Summary) -> str:
    counts, sizes = summary["counts"], summary["bytes"]
    parts = [
        f"{_number(counts[outcome])} {outcome} ({human_bytes(sizes.get(outcome, 0))})"
        for outcome in _SAVED
        if counts.get(outcome)
    ]
    return ", ".join(parts) or "no file contents"


def _counted(counts: Mapping[str, int], names: Mapping[str, str]) -> str:
    return ", ".join(f"{_number(counts[key])} {name}" for key, name in names.items() if counts.get(key))


def _beside(details: Mapping[str, Any] | None) -> str:
    """Of how many items permissions, comments … were saved."""
    counts = (details or {}).get("counts", {})
    asked = (details or {}).get("asked", ())
    return ", ".join(f"{detail} of {_number(counts.get(detail, 0))} items" for detail in asked)


def _left_out(counts: Mapping[str, int]) -> str:
    names = {
        "trashed": "in the trash",
        "filtered": "by the include and exclude globs",
        "filtered_folder": "by folder",
        "filtered_mime_type": "by MIME type",
        "filtered_size": "by size",
        "filtered_owner": "by owner",
        "filtered_modified": "by time of modification",
        "created_later": "created after the instant",
        "covered": "held by other sources of this run",
    }
    return _counted(counts, names)


def _left(left: Mapping[str, Any] | None) -> str:
    """What the snapshot before had and this one has not."""
    if not left or not left.get("counts"):
        return ""
    return f"{left['base'].split('/')[-2]}: {in_words(left['counts'])}"


def _reasons(summary: Summary) -> list[str]:
    """One line per reason, the most frequent first."""
    lines = []
    for reason, found in sorted(summary["reasons"].items(), key=lambda pair: (-pair[1]["count"], pair[0])):
        count, examples = found["count"], found.get("examples", ())[:_EXAMPLES]
        more = " …" if count > len(examples) else ""
        again = f" ({_again(found)})" if found.get("again") else ""
        lines += _line("NOT SAVED", f"{_number(count)} for {reason}: {', '.join(examples)}{more}{again}")
    return lines


def _again(found: Mapping[str, Any]) -> str:
    """How many items of a reason failed in earlier runs, too."""
    return f"{_number(found['again'])} of them failing since {_moment(parse_instant(found['since']))}"


def _spent(api: Mapping[str, int]) -> str:
    if not api:
        return ""
    size = human_bytes(api.get("bytes", 0))
    return f"{_number(api.get('calls', 0))} calls, {_number(api.get('units', 0))} quota units, {size}"


def _cost(facts: Mapping[str, Any] | None) -> str:
    return str(Cost.from_dict(dict(facts))) if facts else ""


def _took(summary: Summary) -> str:
    seconds = (parse_instant(summary["ended"]) - parse_instant(summary["started"])).total_seconds()
    copied = summary["bytes"].get("copied", 0)
    rate = f", {human_bytes(copied / seconds)}/s of new content" if copied and seconds > 0 else ""
    return f"{_duration(seconds)} from listing to commit{rate}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _moment(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC").replace(".000 ", " ")


def _number(count: int) -> str:
    return f"{count:,}"
