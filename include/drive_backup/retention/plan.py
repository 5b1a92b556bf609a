"""What retention would delete of one source, and why the rest stays. Reads, deletes nothing."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from include.drive_backup.blob.names import SnapshotName, content_prefix, snapshot_place, snapshots_prefix
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import read_folders
from include.drive_backup.model import Source, Struct, Tier
from include.drive_backup.ports import BlobStore
from include.drive_backup.protection import read_readers
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.brake import brakes
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.retention.references import References
from include.drive_backup.retention.rules import Candidate, Policy, Verdict, judge
from include.drive_backup.retention.tiers import add


class SourcePlan(Struct, frozen=True):
    """What would become of one source.

    :param damaged: ids of snapshots whose manifest cannot be read; they stay.
    :param parts: of catalogues that go, with their snapshots or because these were never committed.
    :param content: all that is stored; ``unused`` is what no kept snapshot refers to and is past the grace time.
    :param moves: content that moves to a cooler tier.
    :param blocked: why no content goes, although snapshots may.
    :param brakes: why a person has to say yes first.
    """

    source: str
    verdicts: tuple[Verdict, ...] = ()
    damaged: tuple[str, ...] = ()
    parts: Amount = Amount()
    content: Amount = Amount()
    unused: Amount = Amount()
    moves: dict[Tier, Amount] = {}
    blocked: str | None = None
    brakes: tuple[str, ...] = ()

    @property
    def goes(self) -> tuple[str, ...]:
        """Ids of the snapshots that go, newest first."""
        return tuple(verdict.snapshot.name for verdict in self.verdicts if not verdict.kept)

    @property
    def empty(self) -> bool:
        """Is there nothing to delete?"""
        return not (self.goes or self.parts.blobs or self.unused.blobs)


async def plan_source(store: BlobStore, source: Source, policy: Policy) -> SourcePlan:
    """Judge the snapshots of a source, and find what would be left without a reference."""
    now = await store.now()
    manifests, damaged = await read_manifests(store, source)
    holds, readers = await read_holds(store, source), await read_readers(store, source)
    verdicts = judge([_candidate(each, holds, readers) for each in manifests], policy.keep, ZoneInfo(policy.timezone))
    kept = {verdict.snapshot.name for verdict in verdicts if verdict.kept}
    references, blocked = await kept_references(store, [each for each in manifests if each.name.ident in kept], damaged)
    used = None if blocked is not None or policy.keep.empty else references
    everything, unused, moves = await _content(store, source, used, now, policy)
    plan = SourcePlan(
        source=str(source),
        verdicts=tuple(verdicts),
        damaged=tuple(damaged),
        parts=Amount()
        if policy.keep.empty
        else await _parts(
            store, source, {*kept, *damaged}, {each.name.ident for each in manifests}, now - policy.grace
        ),
        content=everything,
        unused=unused,
        moves=moves,
        blocked=blocked,
    )
    share = plan.unused.bytes / (everything.bytes or 1)
    reasons = () if plan.empty else brakes(manifests, len(plan.goes), share, policy.brake_percent)
    return SourcePlan(**{name: getattr(plan, name) for name in plan.__struct_fields__} | {"brakes": tuple(reasons)})


async def read_manifests(store: BlobStore, source: Source) -> tuple[list[Manifest], list[str]]:
    """The manifests of a source, oldest first, and the ids of those that cannot be read."""
    repository = SnapshotRepository(store)
    manifests, damaged = list[Manifest](), list[str]()
    for name in await repository.names(source):
        try:
            manifest = await repository.read(name)
        except CorruptStoreError:
            damaged.append(name.ident)
            continue
        if manifest is not None:
            manifests.append(manifest)
    return manifests, damaged


async def kept_references(store: BlobStore, kept: list[Manifest], damaged: list[str]) -> tuple[References, str | None]:
    """What kept snapshots refer to, and why that is not all that is known of it: then no content may go."""
    references = References()
    if damaged:
        return references, f"The manifest of {', '.join(damaged)} cannot be read, so nobody knows what it refers to."
    try:
        await references.add(store, kept)
    except CorruptStoreError as error:
        return references, f"{error} Nobody knows what it refers to."
    return references, None


def _candidate(manifest: Manifest, holds: dict[str, tuple[str, ...]], readers: dict[str, tuple[str, ...]]) -> Candidate:
    name = manifest.name
    return Candidate(
        name=name.ident,
        instant=name.instant,
        generation=name.generation,
        status=manifest.status,
        held=holds.get(name.ident, ()),
        readers=readers.get(snapshot_place(name), ()),
    )


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


async def _parts(store: BlobStore, source: Source, kept: set[str], committed: set[str], before: datetime) -> Amount:
    found = Amount()
    for name, folder in (await read_folders(store, snapshots_prefix(source))).items():
        if folder.committed:
            going = [info for info in folder.others[1:] if name.ident in committed and name.ident not in kept]
        else:
            going = [info for info in folder.others if is_older(info.modified, before)]
            going += folder.marks if len(going) == len(folder.others) else []
        found += Amount(blobs=len(going), bytes=sum(info.size for info in going))
    return found


def is_older(modified: datetime | None, before: datetime) -> bool:
    """Whether a blob was written before a moment; false when the service does not say."""
    return modified is not None and modified <= before


def snapshot_of(source: Source, ident: str) -> SnapshotName:
    """The name of a snapshot by its id."""
    instant, dot, generation = ident.rpartition(".")
    if dot and generation.isdecimal():
        return SnapshotName(source=source, instant=instant, generation=int(generation))
    return SnapshotName(source=source, instant=ident)
