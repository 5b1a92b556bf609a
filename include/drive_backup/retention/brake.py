"""When to stop and ask a person: much would go, or the newest snapshots look as if something had happened to the Drive.

Whoever deletes or encrypts a whole Drive has, some weeks later, the good snapshots rotated away by the rules. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct, counted

#: A smaller source changes by half on an ordinary day.
_MIN_ITEMS = 10
#: So many of the newest snapshots are looked at.
_NEWEST = 3
#: By which a share may have grown since a person saw it.
_ROUNDING = 0.01
RULES = "rules"
FIRST = "Nobody has approved these rules for this container yet: see what they delete before they do it by themselves."


class Brake(Struct, frozen=True):
    """Why a person has to agree.

    :param kind: ``rules``: nobody has approved them; ``bytes``, ``snapshots``: much would go; ``emptied``,
        ``rewritten``: a snapshot looks suspicious.
    :param about: the series, or the snapshot.
    :param share: of the bytes, 0 … 1.
    """

    kind: str
    text: str
    about: str = ""
    share: float = 0.0

    def __str__(self) -> str:
        return self.text

    def covered(self, shown: Iterable[Brake]) -> bool:
        """Whether somebody who agreed to what was shown has agreed to this."""
        return any(
            (each.kind, each.about) == (self.kind, self.about) and self.share <= each.share + _ROUNDING
            for each in shown
        )


def brakes(
    manifests: Sequence[Manifest], going: int, share: float, percent: float, series: str = ""
) -> Iterator[Brake]:
    """Why a person has to agree; nothing: go on.

    :param manifests: of all snapshots of one series, oldest first.
    :param going: of these, how many would be deleted.
    :param share: of the content's bytes of the source that would be deleted, 0 … 1.
    :param percent: of the content's bytes that may go unasked.
    :param series: to be named, where the source has several.
    """
    named = f"Series {series}: " if series else ""
    if share * 100 > percent:
        text = f"{share:.0%} of the stored bytes would be deleted; {percent:g} % may go unasked."
        yield Brake("bytes", named + text, series, share)
    if going * 2 > len(manifests):
        text = f"{going} of {counted(len(manifests), 'snapshot')} would be deleted, more than half."
        yield Brake("snapshots", named + text, manifests[0].series)
    whole = [each for each in manifests if each.status == "complete"]
    for before, after in list(itertools.pairwise(whole))[-_NEWEST:]:
        yield from _suspicion(before, after, named)


def _suspicion(before: Manifest, after: Manifest, named: str) -> Iterator[Brake]:
    if before.items < _MIN_ITEMS:
        return
    if after.items * 2 < before.items:
        text = (
            f"Snapshot {after.name.ident} has {counted(after.items, 'item')}, the one before it had {before.items:,}: "
            "was the Drive emptied?"
        )
        yield Brake("emptied", named + text, after.name.key)
    elif after.base is not None and after.counts.get("copied", 0) * 2 > before.items:
        text = (
            f"In snapshot {after.name.ident}, {after.counts['copied']:,} of {counted(after.items, 'item')} are new or "
            "changed since the one before it: were they encrypted?"
        )
        yield Brake("rewritten", named + text, after.name.key)
