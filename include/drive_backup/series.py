"""Which series the snapshots of a run are of: the job's, unless a person changed by hand what the run selects.

A run that selects something else must not become what readers, retention and the next run take for the job's state, so
its snapshots are a series of their own. Runs that were changed in the same way continue each other.
"""

from __future__ import annotations

import json
from typing import Any

from include.drive_backup.item_settings import ItemSettings
from include.drive_backup.model import Series, Source, Struct
from include.drive_backup.selection import ME, Entry, Selection

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


def names_me(selected: Selected) -> bool:
    """Whether a source is named by ``me``, the user that the connection acts as."""
    return any(isinstance(entry, Source) and entry.user == ME for entry in selected.sources)


def is_of_job(source: Source, own: Selected, me: str | None = None) -> bool:
    """Whether a job backs up a source by itself, as far as its settings tell; else a person asked for it once.

    :param me: the address that ``me`` stands for; None: it may be any.
    """
    return source in own.sources or any(
        _is_me(entry, source, me) or (isinstance(entry, Selection) and _may_find(entry, source))
        for entry in own.sources
    )


def _may_find(pattern: Selection, source: Source) -> bool:
    """A shared drive may be meant by its name, which its id does not tell."""
    return pattern.kind == source.kind and (source.kind == "drive" or pattern.names(source.id))


def _is_me(entry: Entry, source: Source, me: str | None) -> bool:
    """``user/me`` is a user whose address the job's settings do not tell."""
    return (
        isinstance(entry, Source)
        and entry.user == ME
        and entry.kind == source.kind
        and (me is None or source.id == me.lower())
    )


def _facts(selected: Selected, source: Source) -> str:
    """Equal for two selections that save the same of a source."""
    facts: dict[str, Any] = selected.items.model_dump(mode="json")
    facts |= {name: sorted(set(facts[name])) for name in _UNORDERED}
    if source.kind == "shared":
        # What others share is left out where another source of the run holds it.
        facts["sources"] = sorted({_entry(entry) for entry in selected.sources})
    return json.dumps(facts, sort_keys=True)


def _entry(entry: Entry) -> str:
    """All that an entry says: equal for two that find the same, in whatever order they say it."""
    if isinstance(entry, Source):
        return str(entry)
    said: dict[str, Any] = entry.to_dict()
    lists = {name: sorted(set(value)) for name, value in said.items() if isinstance(value, list | tuple)}
    return json.dumps({**said, **lists}, sort_keys=True)
