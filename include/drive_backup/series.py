"""Which series the snapshots of a run are of: the job's, unless a person changed by hand what the run selects.

A run that selects something else must not become what readers, retention and the next run take for the job's state, so
its snapshots are a series of their own. Runs that were changed in the same way continue each other.
"""

from __future__ import annotations

import json
from typing import Any

from include.drive_backup.item_settings import ItemSettings
from include.drive_backup.model import Series, Source, Struct
from include.drive_backup.selection import Entry, Selection

#: The order of globs has a meaning, that of these lists has none.
_UNORDERED = ("folders", "exclude_folders", "mime_types", "exclude_mime_types", "owners", "save")


class Selected(Struct, frozen=True):
    """What a job, or one run of it, selects."""

    sources: tuple[Entry, ...]
    items: ItemSettings


def series_name(job: str, own: Selected, run: Selected, source: Source) -> str:
    """The name of the series that a run's snapshot of a source is of.

    :param job: the job's name.
    :param own: what the job selects by its settings.
    :param run: what this run selects.
    """
    facts = _facts(run, source)
    return job if facts == _facts(own, source) else Series.narrowed_name(job, facts)


def is_of_job(source: Source, own: Selected) -> bool:
    """Whether a job backs up a source by itself, as far as its settings alone tell; else a person asked for it once."""
    return source in own.sources or any(
        _is_me(entry, source) or (isinstance(entry, Selection) and entry.kind == source.kind) for entry in own.sources
    )


def _is_me(entry: Entry, source: Source) -> bool:
    """``user/me`` is a user whose address the job's settings do not tell."""
    return isinstance(entry, Source) and entry.user == "me" and entry.kind == source.kind


def _facts(selected: Selected, source: Source) -> str:
    """Equal for two selections that save the same of a source."""
    facts: dict[str, Any] = selected.items.model_dump(mode="json")
    facts |= {name: sorted(set(facts[name])) for name in _UNORDERED}
    if source.kind == "shared":
        # What others share is left out where another source of the run holds it.
        facts["sources"] = sorted({str(entry) for entry in selected.sources})
    return json.dumps(facts, sort_keys=True)
