"""Level 1: manifests and catalogues are what was written, and every blob they refer to is there as it should be.

Content is not read: Blob keeps the MD5 of what was written, so a listing tells its length and its bytes' checksum, and
its metadata whose it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from include.drive_backup.blob.names import SnapshotName, content_prefix
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import part_data
from include.drive_backup.manifest.inventory import Inventory, fingerprint, load_inventory
from include.drive_backup.manifest.manifest import Part
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.tables import open_table
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.verification.findings import Findings, begin
from include.drive_backup.verification.model import Checked, Reference, Wrong
from include.drive_backup.verification.references import Group, Held, groups, held
from include.drive_backup.verification.rows import Table, adds_up, agrees, tables_of
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
        they may have been put right.
    :param sample: which contents these are.
    :param progress: called with the id of each snapshot as it comes.
    :return: the damage, the snapshots not filled in; see :mod:`.describe`.
    """
    if not names:
        return Checked(source="")
    source = names[0].source
    # What a manifest refers to that was there before this call was written before it, too.
    findings = await begin(store, source)
    check = _Check(store, source, findings, await load_inventory(store, source), sample, take)
    for name in sorted(names, key=lambda each: (each.instant, each.generation), reverse=True):
        if progress is not None:
            progress(name.ident)
        await check.snapshot(name)
    return await check.end()


class _Check:
    """One source in the making. Newest snapshots first, so that a blob goes by the path that its item has today."""

    def __init__(
        self, store: BlobStore, source: Source, findings: Findings, stored: Inventory, sample: Sample, take: Take
    ) -> None:
        self._store = store
        self._source = source
        self._findings = findings
        self._stored = stored
        self._sample = sample
        self._take = take
        self._repository = SnapshotRepository(store)
        self._seen: set[bytes] = set()
        self._lost: dict[bytes, Reference] = {}
        self._snapshots = self._references = self._bytes = self._erased = self._erased_from = 0

    async def snapshot(self, name: SnapshotName) -> None:
        """Check one snapshot; one that is gone was deleted by retention."""
        try:
            manifest = await self._repository.read(name)
        except CorruptStoreError as error:
            if await self._store.head(name.manifest) is not None:
                await self._damaged(name, name.manifest, "unreadable", str(error))
            return
        if manifest is None:
            return
        self._snapshots += 1
        self._erased += sum(each.items for each in manifest.erased)
        self._erased_from += bool(manifest.erased)
        sound = adds_up(manifest)
        for table in tables_of(manifest):
            if await self._table(name, table):
                sound = sound and agrees(manifest, table)
                await self._hold_digest(name, table)
        if not sound:
            await self._damaged(name, name.manifest, "rows", "The numbers in the manifest do not add up.")

    async def _hold_digest(self, name: SnapshotName, table: Table) -> None:
        if table.digest != table.expected:
            said = (
                f"The rows of its {table.kind} were changed after it was committed: they have the digest "
                f"{table.digest}, and the manifest says {table.expected}."
            )
            await self._damaged(name, name.manifest, "digest", said, of=f"{table.kind} {table.digest} {table.expected}")

    async def _table(self, name: SnapshotName, table: Table) -> bool:
        """Check the parts of a table; whether all of them could be read."""
        return all([await self._part(name, table, part) for part in table.parts])

    async def _part(self, name: SnapshotName, table: Table, part: Part) -> bool:
        try:
            file = open_table(await part_data(self._store, part), table.kind, part.blob)
            await self._groups(name, table, part, file)
        except (CorruptStoreError, pa.ArrowException, OSError) as error:
            if await self._repository.read(name) is not None:
                await self._damaged(name, part.blob, "bytes", str(error))
            return False
        self._findings.there(part.blob)
        if file.metadata.num_rows == part.rows:
            return True
        said = f"It has {file.metadata.num_rows} rows, and the manifest says {part.rows}."
        await self._damaged(name, part.blob, "rows", said, of="rows")
        return False

    async def _groups(self, name: SnapshotName, table: Table, part: Part, file: pq.ParquetFile) -> None:
        for group in groups(file):
            rows = group.rows()
            table.add(rows)
            if table.kind == "items":
                await self._contents(name, part, group, list(held(rows)))

    async def _contents(self, name: SnapshotName, part: Part, group: Group, contents: Sequence[Held]) -> None:
        fresh: dict[int, bytes] = {}
        wrong: dict[int, Wrong] = {}
        for position, content in enumerate(contents):
            mark = fingerprint(content.blob, content.size, content.md5)
            word = self._tells(mark, content)
            if word is not None:
                wrong[position] = word
            if mark not in self._seen:
                self._first(mark, content)
                if self._is_wanted(mark, content):
                    fresh[position] = mark
        self._references += len(contents)
        if fresh or wrong:
            for position, reference in zip(sorted({*fresh, *wrong}), group.references({*fresh, *wrong}), strict=True):
                if position in fresh:
                    await self._judge(fresh[position], reference)
                if position in wrong:
                    await self._not_its_own(name, part, reference, wrong[position])

    def _tells(self, mark: bytes, content: Held) -> Wrong | None:
        """What the metadata of a blob that is there have against a row."""
        if mark not in self._stored:
            return None
        word = self._stored.tells(mark, content.item_id, content.format, content.sha256, content.size)
        return None if word == "right" or (word == "other-item" and content.by_bytes) else word

    def _first(self, mark: bytes, content: Held) -> None:
        self._seen.add(mark)
        self._bytes += content.size
        if mark in self._stored:
            self._findings.there(content.blob, content.sha256)

    def _is_wanted(self, mark: bytes, content: Held) -> bool:
        suspected = self._findings.records.suspects(content.blob)
        return mark not in self._stored or suspected or self._sample.takes(mark)

    async def _judge(self, mark: bytes, reference: Reference) -> None:
        if mark not in self._stored:
            self._lost[mark] = reference
        else:
            await self._take(reference)

    async def _not_its_own(self, name: SnapshotName, part: Part, reference: Reference, wrong: Wrong) -> None:
        what = "another item" if wrong == "other-item" else "another format, length or SHA-256 than the row"
        said = f"Its row refers to {reference.blob}, whose metadata name {what}."
        facts = {name: getattr(reference, name) for name in ("item_id", "path", "format", "size", "sha256")}
        await self._damaged(name, part.blob, wrong, said, of=f"{reference.item_id} {reference.format}", **facts)

    async def _damaged(
        self, name: SnapshotName, blob: str, wrong: Wrong, message: str, of: str = "", **item: object
    ) -> None:
        self._findings.part(name, blob, wrong, message, await self._store.head(blob), of, **item)

    async def end(self) -> Checked:
        """Look a second time at what was not there: a backup may have copied it meanwhile."""
        there = await self._look_again({reference.blob for reference in self._lost.values()})
        for mark, reference in self._lost.items():
            found = there.get(reference.blob)
            now = fingerprint(found.name, found.size, found.md5) if found else b""
            if now == mark:
                self._findings.there(reference.blob, reference.sha256)
                continue
            if now in self._seen:
                # Deleted, and exported once more under the same name: what is there is not damaged.
                found = None
            self._findings.content(reference, *_by_listing(reference, found), found)
        return Checked(
            source=str(self._source),
            snapshots=self._snapshots,
            erased=self._erased,
            erased_from=self._erased_from,
            references=self._references,
            blobs=len(self._seen),
            bytes=self._bytes,
            damages=tuple(self._findings.damages),
            returned=tuple(self._findings.returned),
        )

    async def _look_again(self, blobs: set[str]) -> dict[str, BlobInfo]:
        if not blobs:
            return {}
        return {info.name: info async for info in self._store.list(content_prefix(self._source)) if info.name in blobs}


def _by_listing(reference: Reference, found: BlobInfo | None) -> tuple[Wrong, str]:
    if found is None:
        return "missing", f"The blob {reference.blob} is not there."
    if found.size != reference.size:
        return "length", f"The blob {reference.blob} has {found.size} bytes instead of {reference.size}."
    return "md5", f"The blob {reference.blob} has the Content-MD5 {found.md5} instead of {reference.md5}."
