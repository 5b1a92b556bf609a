"""What retention would delete of one source, and why the rest stays. Reads, deletes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName, content_prefix, parse_snapshot, snapshots_prefix
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import committed_names, read_folders
from include.drive_backup.model import Source, Struct, Tier
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.brake import FIRST, RULES, Brake, brakes
from include.drive_backup.retention.judging import by_series, judge_source, read_keepers
from include.drive_backup.retention.references import References
from include.drive_backup.retention.reliance import Reliance, needed, relies
from include.drive_backup.retention.rules import Policy, Verdict
from include.drive_backup.retention.tiers import add


class SourcePlan(Struct, frozen=True):
    """What would become of one source.

    :param verdicts: on the snapshots of all series, each judged among those of its own series.
    :param damaged: snapshots whose manifest cannot be read; they stay, and stand for nothing.
    :param unreadable: likewise those whose catalogue cannot be read, or does not add up.
    :param parts: of catalogues that go, with their snapshots or because these were never committed.
    :param content: all that is stored; ``unused`` is what no kept snapshot refers to and is past the grace time.
    :param moves: content that moves to a cooler tier.
    :param blocked: why no content goes, although snapshots may.
    :param brakes: why a person has to say yes first.
    :param rules_approved: they were when the plan was made.
    :param shown: the question to that person has all of it.
    :param relies: what these snapshots need of other sources, be they kept or not: what goes in this run frees those
        in the next one.
    :param needs: what snapshots of other sources need of this one.
    :param failed: why it could not be planned; then nothing of it goes.
    """

    source: str
    verdicts: tuple[Verdict, ...] = ()
    damaged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    parts: Amount = Amount()
    content: Amount = Amount()
    unused: Amount = Amount()
    moves: dict[Tier, Amount] = {}
    blocked: str | None = None
    brakes: tuple[Brake, ...] = ()
    rules_approved: bool = True
    shown: bool = False
    relies: tuple[Reliance, ...] = ()
    needs: tuple[Reliance, ...] = ()
    failed: str | None = None

    @property
    def goes(self) -> tuple[str, ...]:
        """The snapshots that go, each series' newest first."""
        return tuple(verdict.snapshot.name for verdict in self.verdicts if not verdict.kept)

    @property
    def empty(self) -> bool:
        """Is there nothing to delete?"""
        return not (self.goes or self.parts.blobs or self.unused.blobs)


async def plan_source(
    store: BlobStore, source: Source, policy: Policy, needs: Sequence[Reliance] | None = None
) -> SourcePlan:
    """Judge the snapshots of a source, and find what would be left without a reference.

    :param needs: what snapshots of other sources need of this one; None: look for it.
    """
    now = await store.now()
    manifests, damaged = await read_manifests(store, source)
    needs = await read_reliance(store, source) if needs is None else needs
    keepers = await read_keepers(store, source, needed(manifests, needs))
    judged = await judge_source(store, source, manifests, keepers, policy)
    blocked = _why_blocked(damaged, judged.unreadable)
    used = None if blocked is not None or policy.keep.empty else judged.references
    everything, unused, moves = await _content(store, source, used, now, policy)
    plan = SourcePlan(
        source=str(source),
        verdicts=judged.verdicts,
        damaged=tuple(damaged),
        unreadable=tuple(judged.unreadable),
        content=everything,
        unused=unused,
        moves=moves,
        blocked=blocked,
        relies=tuple(relies(source, manifests, [snapshot_of(source, key) for key in damaged])),
        needs=tuple(needs),
        rules_approved=policy.approved,
    )
    return plan if policy.keep.empty else await _with_brakes(store, plan, manifests, policy, now)


async def _with_brakes(
    store: BlobStore, plan: SourcePlan, manifests: Sequence[Manifest], policy: Policy, now: datetime
) -> SourcePlan:
    """A plan of which something may go: with the parts that go, and why a person has to agree."""
    parts = await _parts(store, Source.parse(plan.source), plan.goes, now - policy.grace)
    plan = replace(plan, parts=parts)
    share = plan.unused.bytes / (plan.content.bytes or 1)
    reasons = () if plan.empty else _stops(manifests, plan.goes, share, policy)
    return replace(plan, brakes=tuple(reasons))


def _stops(manifests: Sequence[Manifest], goes: Sequence[str], share: float, policy: Policy) -> list[Brake]:
    """Why a person has to agree: the share of the bytes is said once, the rest of each series."""
    found = [] if policy.approved else [Brake(RULES, FIRST)]
    found += brakes([], 0, share, policy.brake_percent)
    for series in by_series(manifests):
        going = sum(each.name.key in goes for each in series)
        several = series[0].series if len(series) < len(manifests) else ""
        if several and not going:
            # It may have ended: then what looks suspicious stays its newest, and would stop all others for ever.
            continue
        found += brakes(series, going, 0.0, 100.0, several)
    return found


async def read_manifests(store: BlobStore, source: Source) -> tuple[list[Manifest], list[str]]:
    """The manifests of all series of a source, oldest first, and the keys of those that cannot be read."""
    repository = SnapshotRepository(store)
    manifests, damaged = list[Manifest](), list[str]()
    for name in await repository.names(source):
        try:
            manifest = await repository.read(name)
        except UNREADABLE:
            damaged.append(name.key)
            continue
        if manifest is not None:
            manifests.append(manifest)
    return manifests, damaged


async def reliance_of(store: BlobStore, source: Source) -> list[Reliance]:
    """What the snapshots of a source need of other sources."""
    manifests, damaged = await read_manifests(store, source)
    return list(relies(source, manifests, [snapshot_of(source, key) for key in damaged]))


async def read_reliance(store: BlobStore, source: Source) -> list[Reliance]:
    """What snapshots of other sources need of a source."""
    if source.kind == "shared":
        return []
    found = list[Reliance]()
    for shared in dict.fromkeys(name.source for name in await committed_names(store, "snapshots/shared/")):
        found += [each for each in await reliance_of(store, shared) if each.may_need(str(source))]
    return found


async def kept_references(store: BlobStore, kept: list[Manifest], damaged: list[str]) -> tuple[References, str | None]:
    """What kept snapshots refer to, and why that is not all that is known of it: then no content may go."""
    references, unreadable = References(), dict[str, str]()
    for each in kept if not damaged else ():
        try:
            await references.add(store, each)
        except UNREADABLE as error:
            unreadable[each.name.key] = str(error)
            break
    return references, _why_blocked(damaged, unreadable)


def _why_blocked(damaged: Sequence[str], unreadable: Mapping[str, str]) -> str | None:
    if damaged:
        return f"The manifest of {', '.join(damaged)} cannot be read, so nobody knows what it refers to."
    for why in unreadable.values():
        return f"{why} Nobody knows what it refers to."
    return None


async def _content(
    store: BlobStore, source: Source, used: References | None, now: datetime, policy: Policy
) -> tuple[Amount, Amount, dict[Tier, Amount]]:
    """All there is, what goes of it, and what moves.

    :param used: None: nothing may go.
    """
    everything, unused, moves = Amount(), Amount(), dict[Tier, Amount]()
    async for info in store.list(content_prefix(source)):
        one = Amount(blobs=1, bytes=info.size)
        everything += one
        if used is not None and info.name not in used and is_older(info.modified, now - policy.grace):
            unused += one
        elif (tier := policy.tiers.target(info, now)) is not None:
            add(moves, tier, 1, info.size)
    return everything, unused, moves


async def _parts(store: BlobStore, source: Source, goes: Sequence[str], before: datetime) -> Amount:
    found = Amount()
    for name, folder in (await read_folders(store, snapshots_prefix(source))).items():
        if folder.committed:
            going = folder.others[1:] if name.key in goes else []
        else:
            going = [info for info in folder.others if is_older(info.modified, before)]
            going += folder.marks if len(going) == len(folder.others) else []
        found += Amount(blobs=len(going), bytes=sum(info.size for info in going))
    return found


def is_older(modified: datetime | None, before: datetime) -> bool:
    """Whether a blob was written before a moment; false when the service does not say."""
    return modified is not None and modified <= before


def snapshot_of(source: Source, key: str) -> SnapshotName:
    """The name of a snapshot by its series and id.

    :raises ValueError: it is no such key.
    """
    name = parse_snapshot(f"{snapshots_prefix(source)}{key}/manifest.json")
    if name is None:
        raise ValueError(f"'{key}' is not a snapshot of {source}.")
    return name
