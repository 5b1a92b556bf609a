"""The snapshots of a source, judged by what can really be restored of them.

The rules choose by what manifests say. What they would keep is then read: a snapshot whose catalogue cannot be read
stays and stands for nothing, and one that refers to damaged content displaces none that does not. Then the rules choose
again, until they choose what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.inventory import load_sound
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore
from include.drive_backup.protection import read_readers
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.retention.references import References
from include.drive_backup.retention.rules import Candidate, Policy, Verdict, judge

#: By series and id of a snapshot.
Tags = Mapping[str, tuple[str, ...]]


class Keepers(Struct, frozen=True):
    """What keeps snapshots beside the rules: holds, readers, and snapshots of other sources that need them."""

    holds: Tags = {}
    readers: Tags = {}
    needed: Tags = {}


class Judged(Struct, frozen=True):
    """What becomes of the snapshots of a source.

    :param unreadable: snapshots whose catalogue cannot be read or does not add up, and why; no verdict is on these.
    :param references: to content, of all that is kept.
    """

    verdicts: tuple[Verdict, ...]
    unreadable: dict[str, str]
    references: References


async def read_keepers(store: BlobStore, source: Source, needed: Tags) -> Keepers:
    """Look for holds and readers.

    :param needed: see :class:`Keepers`.
    """
    return Keepers(holds=await read_holds(store, source), readers=await read_readers(store, source), needed=needed)


async def judge_source(
    store: BlobStore, source: Source, manifests: Iterable[Manifest], keepers: Keepers, policy: Policy
) -> Judged:
    """Judge each series of a source among its own.

    :param manifests: of all series, oldest first.
    """
    left = {each.name.key: each for each in manifests}
    sound = await load_sound(store, source)
    references, damaged, unreadable = References(), dict[str, int](), dict[str, str]()
    while True:
        verdicts = _judge(left.values(), keepers, damaged, policy)
        fresh = [each.snapshot.name for each in verdicts if each.kept and each.snapshot.name not in damaged]
        if not fresh:
            return Judged(verdicts=tuple(verdicts), unreadable=unreadable, references=references)
        for key in fresh:
            try:
                damaged[key] = await references.add(store, left[key], sound)
            except UNREADABLE as error:
                unreadable[key] = str(error)
                del left[key]


def _judge(
    manifests: Iterable[Manifest], keepers: Keepers, damaged: Mapping[str, int], policy: Policy
) -> list[Verdict]:
    zone = ZoneInfo(policy.timezone)
    return [
        verdict
        for series in by_series(manifests)
        for verdict in judge([_candidate(each, keepers, damaged) for each in series], policy.keep, zone)
    ]


def by_series(manifests: Iterable[Manifest]) -> list[list[Manifest]]:
    """The manifests of each series, in the order given."""
    found: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        found.setdefault(manifest.series, []).append(manifest)
    return list(found.values())


def _candidate(manifest: Manifest, keepers: Keepers, damaged: Mapping[str, int]) -> Candidate:
    name = manifest.name
    return Candidate(
        name=name.key,
        instant=name.instant,
        generation=name.generation,
        status=manifest.status,
        held=keepers.holds.get(name.key, ()),
        readers=keepers.readers.get(name.key, ()),
        needed=keepers.needed.get(name.key, ()),
        late=manifest.kind == "as-of",
        damaged=damaged.get(name.key, 0),
    )
