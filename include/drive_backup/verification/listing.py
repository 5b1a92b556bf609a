"""Level 1: manifests and catalogues are what was written, and every blob they refer to is there as it should be.

Content is not read: Blob keeps the MD5 of what was written, so a listing tells its length and its bytes' checksum.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName, content_prefix
from include.drive_backup.damage import Damaged, load_damaged
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import part_data
from include.drive_backup.manifest.inventory import fingerprint, load_inventory
from include.drive_backup.manifest.manifest import Manifest, Part
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, format_instant, parse_instant
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.verification.model import Checked, Damage, Reference, Wrong
from include.drive_backup.verification.references import Group, groups, open_part
from include.drive_backup.verification.sample import NOTHING, Sample

Take = Callable[[Reference], Awaitable[None]]
Progress = Callable[[str], None]


async def check_source(
    store: BlobStore,
    names: Sequence[SnapshotName],
    take: Take,
    *,
    sample: Sample = NOTHING,
    progress: Progress | None = None,
) -> Checked:
    """Hold snapshots of one source against the container.

    :param names: of snapshots that were committed when this is called.
    :param take: gets each content that is to be read again, once; those that were known to be damaged, too, since
        somebody may have mended them.
    :param sample: which contents these are.
    :param progress: called with the id of each snapshot as it comes.
    :return: the damage, the snapshots not filled in; see :mod:`.describe`.
    """
    if not names:
        return Checked(source="")
    check = _Check(store, names[0].source, sample, take)
    await check.begin()
    for name in sorted(names, key=lambda each: (each.instant, each.generation), reverse=True):
        if progress is not None:
            progress(name.ident)
        await check.snapshot(name)
    return await check.end()


class _Check:
    """One source in the making. Newest snapshots first, so that a blob goes by the path that its item has today."""

    def __init__(self, store: BlobStore, source: Source, sample: Sample, take: Take) -> None:
        self._store = store
        self._source = source
        self._repository = SnapshotRepository(store)
        self._sample = sample
        self._take = take
        self._stored: set[bytes] = set()
        self._damaged = Damaged()
        self._seen: set[bytes] = set()
        self._lost: dict[bytes, Reference] = {}
        self._damages: list[Damage] = []
        self._snapshots = self._references = self._bytes = 0

    async def begin(self) -> None:
        """List. What a manifest refers to that was there before this call was written before it, too."""
        self._stored = await load_inventory(self._store, self._source)
        self._damaged = await load_damaged(self._store, self._source)

    async def snapshot(self, name: SnapshotName) -> None:
        """Check one snapshot; one that is gone was deleted by retention."""
        try:
            manifest = await self._repository.read(name)
        except CorruptStoreError as error:
            await self._spoilt(name, name.manifest, "unreadable", str(error))
            return
        if manifest is None:
            return
        self._snapshots += 1
        if not _adds_up(manifest):
            await self._spoilt(name, name.manifest, "rows", "The numbers in the manifest do not add up.")
        for part in manifest.parts:
            await self._part(name, part, self._group)
        for part in manifest.beside:
            await self._part(name, part, None)

    async def _part(self, name: SnapshotName, part: Part, look: Callable[[Group], Awaitable[None]] | None) -> None:
        try:
            file = open_part(await part_data(self._store, part))
        except (CorruptStoreError, ValueError) as error:
            if await self._repository.read(name) is not None:
                await self._spoilt(name, part.blob, "bytes", str(error))
            return
        if file.metadata.num_rows != part.rows:
            said = f"It has {file.metadata.num_rows} rows, and the manifest says {part.rows}."
            await self._spoilt(name, part.blob, "rows", said)
        if look is not None:
            for group in groups(file):
                await look(group)

    async def _group(self, group: Group) -> None:
        fresh: dict[int, bytes] = {}
        for position, (blob, size, md5) in enumerate(group.stored()):
            self._references += 1
            mark = fingerprint(blob, size, md5)
            if mark in self._seen:
                continue
            self._seen.add(mark)
            self._bytes += size
            if mark not in self._stored or self._damaged.holds(blob) or self._sample.takes(mark):
                fresh[position] = mark
        if fresh:
            for mark, reference in zip(fresh.values(), group.references(fresh), strict=True):
                await self._judge(mark, reference)

    async def _judge(self, mark: bytes, reference: Reference) -> None:
        if mark not in self._stored:
            self._lost[mark] = reference
        else:
            await self._take(reference)

    async def _spoilt(self, name: SnapshotName, blob: str, wrong: Wrong, message: str) -> None:
        found = await self._store.head(blob)
        self._damages.append(
            Damage(
                source=str(name.source),
                blob=blob,
                wrong="missing" if found is None else wrong,
                message=message,
                snapshots=(name.key,),
                modified=_modified(found),
            )
        )

    async def end(self) -> Checked:
        """Look a second time at what was not there: a backup may have copied it meanwhile."""
        there = await self._look_again({reference.blob for reference in self._lost.values()})
        for mark, reference in self._lost.items():
            found = there.get(reference.blob)
            now = fingerprint(found.name, found.size, found.md5) if found else b""
            if now in self._seen:
                # Deleted, and exported anew under the same name: what is there is not damaged.
                found = None
            if now != mark:
                self._damages.append(_by_listing(self._source, reference, found))
        return Checked(
            source=str(self._source),
            snapshots=self._snapshots,
            references=self._references,
            blobs=len(self._seen),
            bytes=self._bytes,
            damages=known_before(self._damaged, self._damages),
        )

    async def _look_again(self, blobs: set[str]) -> dict[str, BlobInfo]:
        if not blobs:
            return {}
        return {info.name: info async for info in self._store.list(content_prefix(self._source)) if info.name in blobs}


def known_before(records: Damaged, damages: Iterable[Damage]) -> tuple[Damage, ...]:
    """Mark what an earlier verification told of. A run looks when it finds it, before it records it itself."""
    moments = ((damage, None if damage.modified is None else parse_instant(damage.modified)) for damage in damages)
    return tuple(replace(damage, known=records.knows(damage.blob, moment)) for damage, moment in moments)


def _adds_up(manifest: Manifest) -> bool:
    counted: Iterable[int] = (sum(part.rows for part in manifest.parts), sum(manifest.counts.values()))
    return all(count == manifest.items for count in counted)


def _by_listing(source: Source, reference: Reference, found: BlobInfo | None) -> Damage:
    if found is None:
        return damage_of(source, reference, "missing", f"The blob {reference.blob} is not there.", found)
    if found.size != reference.size:
        said = f"The blob {reference.blob} has {found.size} bytes instead of {reference.size}."
        return damage_of(source, reference, "length", said, found)
    said = f"The blob {reference.blob} has the Content-MD5 {found.md5} instead of {reference.md5}."
    return damage_of(source, reference, "md5", said, found)


def damage_of(source: Source, reference: Reference, wrong: Wrong, message: str, found: BlobInfo | None) -> Damage:
    """The damage of one content.

    :param found: what has the blob's name now.
    """
    return Damage(
        source=str(source),
        blob=reference.blob,
        wrong="missing" if found is None else wrong,
        message=message,
        item_id=reference.item_id,
        path=reference.path,
        format=reference.format,
        size=reference.size,
        sha256=reference.sha256,
        modified=_modified(found),
    )


def _modified(found: BlobInfo | None) -> str | None:
    return format_instant(found.modified) if found is not None and found.modified is not None else None
