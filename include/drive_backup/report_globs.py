"""The part of the report that says which globs of the job may not mean what their author thinks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.drive_backup.glob_watch import idle_text, mistaken_text


def glob_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A block; empty when there is nothing to say.

    A glob that fits nothing in one source may be meant for another one: it is named when it fits nothing in any.

    :param found: a dict of :class:`~include.drive_backup.handover.UnfitGlobs` for each source of the run.
    """
    mistaken: dict[str, str] = {}
    for each in found:
        mistaken = {**each.get("mistaken", {}), **mistaken}
    idle = [glob for glob in (found[0].get("idle", ()) if found else ()) if _everywhere(glob, found)]
    lines = [mistaken_text(*pair) for pair in mistaken.items()]
    lines += [idle_text(glob) for glob in idle if glob not in mistaken]
    return ["GLOBS that may not mean what you think:", *(f"  {line}" for line in lines)] if lines else []


def _everywhere(glob: str, found: Sequence[Mapping[str, Any]]) -> bool:
    return all(glob in each.get("idle", ()) for each in found)
