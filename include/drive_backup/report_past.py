"""What a report says of a snapshot that is not in all of its instant: what was not recovered, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LABELS = {
    "head-later": "changed after",
    "earlier": "gone since",
    "revision": "from revisions",
    "place-later": "later place",
    "unproven": "not proven",
}
_WITHOUT_SENTENCE = {
    "head-later": "Drive no longer gives the state of the instant, so the later one is kept",
    "earlier": "gone from Drive; the snapshot before the instant had them so",
    "revision": "the newest version of before that Drive still listed",
    "place-later": "name and place are those of a later look",
    "unproven": "Drive counts changes since they were exported, and their modified times are the same",
}
_EXAMPLES = 3


def past_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Labels and texts: what a late snapshot was made from, and what of it is not for certain as it was.

    :param summary: of a commit; one of older software has no ``past``.
    """
    past = summary.get("past") or {}
    if summary["kind"] == "as-of":
        yield from _sources(past)
    if past.get("told"):
        for told in past["told"]:
            yield _LABELS.get(told["fidelity"], told["fidelity"]), _told(told)
        return
    for fidelity, sentence in _WITHOUT_SENTENCE.items():
        if summary["fidelity"].get(fidelity):
            yield _LABELS[fidelity], f"{summary['fidelity'][fidelity]:,} items; {sentence}"


def _sources(past: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    beside = [f"{place} {past[place]}" for place in ("before", "after") if past.get(place)]
    if past.get("feed"):
        beside.append("Drive's change feed")
    yield "made late", f"from what Drive lists now{''.join(f', {each}' for each in beside)}"
    if not past.get("before"):
        sentence = "there is no snapshot that was over at it; it is missing here"
        yield "NOT KNOWN", f"what was deleted since the instant: {sentence}"
    untold = past.get("untold") or {}
    if untold.get("removed"):
        sentence = (
            "items that left Drive after the instant: no snapshot around it has them, so it cannot be told what "
            "they were, nor whether they were there already"
        )
        yield "NOT KNOWN", f"{untold['removed']:,} {sentence}"
    if untold.get("trashed"):
        sentence = "items in the trash, since nobody knows when: they are left out, with what is in them"
        yield "NOT KNOWN", f"{untold['trashed']:,} {sentence}"


def _told(told: Mapping[str, Any]) -> str:
    examples = told.get("examples", ())[:_EXAMPLES]
    more = " …" if told["count"] > len(examples) else ""
    why = told.get("message") or _WITHOUT_SENTENCE.get(told["fidelity"], "")
    return f"{told['count']:,} items: {', '.join(examples)}{more}: {why}"
