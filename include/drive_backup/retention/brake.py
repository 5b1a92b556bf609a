"""When to stop and ask a person: much would go, or the newest snapshots look as if something had happened to the Drive.

Whoever deletes or encrypts a whole Drive has, some weeks later, the good snapshots rotated away by the rules. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import counted

#: A smaller source changes by half on an ordinary day.
_MIN_ITEMS = 10
#: So many of the newest snapshots are looked at.
_NEWEST = 3


def brakes(manifests: Sequence[Manifest], going: int, share: float, percent: float) -> Iterator[str]:
    """Sentences that say why a person has to agree; none: go on.

    :param manifests: of all snapshots of one series, oldest first.
    :param going: of these, how many would be deleted.
    :param share: of the content's bytes of the source that would be deleted, 0 … 1.
    :param percent: of the content's bytes that may go unasked.
    """
    if share * 100 > percent:
        yield f"{share:.0%} of the stored bytes would be deleted; {percent:g} % may go unasked."
    if going * 2 > len(manifests):
        yield f"{going} of {counted(len(manifests), 'snapshot')} would be deleted, more than half."
    whole = [each for each in manifests if each.status == "complete"]
    for before, after in list(itertools.pairwise(whole))[-_NEWEST:]:
        yield from _suspicion(before, after)


def _suspicion(before: Manifest, after: Manifest) -> Iterator[str]:
    if before.items < _MIN_ITEMS:
        return
    if after.items * 2 < before.items:
        yield (
            f"Snapshot {after.name.ident} has {counted(after.items, 'item')}, the one before it had {before.items:,}: "
            "was the Drive emptied?"
        )
    elif after.base is not None and after.counts.get("copied", 0) * 2 > before.items:
        yield (
            f"In snapshot {after.name.ident}, {after.counts['copied']:,} of {counted(after.items, 'item')} are new or "
            "changed since the one before it: were they encrypted?"
        )
