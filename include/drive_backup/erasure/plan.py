"""What would be erased of one source, and what stays, and why. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from include.drive_backup.blob.names import (
    content_prefix,
    damaged_prefix,
    snapshots_prefix,
    source_path,
    stopped_prefix,
    verified_prefix,
)
from include.drive_backup.erasure.look import Look, look_for, named_parts, who_shares
from include.drive_backup.erasure.model import ErasePlan, Found
from include.drive_backup.erasure.naming import any_part_names, is_named_in, names_any, quoted
from include.drive_backup.erasure.records import remember
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import read_folders
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.protection import WHOLE, read_readers
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.retention.plan import kept_references, read_manifests, read_reliance, snapshot_of
from include.drive_backup.retention.references import blob_mark

_NOBODY_KNOWS = "Nobody knows which content it refers to, so none can be deleted."


async def plan_erasure(store: BlobStore, source: Source, item: str | None = None) -> ErasePlan:
    """Look what there is.

    :param item: the id of an item; None: all of the source.
    """
    keeps = await keepers(store, source)
    work = await _amount(store.list(work_prefix_of(source)))
    if item is None:
        return await _plan_source(store, source, keeps, work)
    named = await names_any(store, work_prefix_of(source), [quoted(item)])
    return await _plan_item(store, source, item, keeps, work if named else Amount())


async def keepers(store: BlobStore, source: Source) -> dict[str, tuple[str, ...]]:
    """Which snapshots are held or read now, by key, and why."""
    found = {key: tuple(f"held by '{tag}'" for tag in tags) for key, tags in (await read_holds(store, source)).items()}
    for key, readers in (await read_readers(store, source)).items():
        if key != WHOLE:
            found[key] = (*found.get(key, ()), *readers)
    return found


async def _plan_source(store: BlobStore, source: Source, keeps: dict[str, tuple[str, ...]], work: Amount) -> ErasePlan:
    names = reversed(await SnapshotRepository(store).names(source))
    snapshots = [Found(key=name.key, kept_by=keeps.get(name.key, ())) for name in names]
    kept = [snapshot_of(source, each.key) for each in snapshots if each.kept_by]
    manifests, damaged = await read_manifests(store, source)
    references, blocked = await kept_references(
        store, [each for each in manifests if each.name in kept], [key for key in damaged if key in keeps]
    )
    content = Amount()
    async for info in store.list(content_prefix(source)):
        if blocked is None and info.name not in references:
            content += Amount(blobs=1, bytes=info.size)
    return ErasePlan(
        source=str(source),
        snapshots=tuple(snapshots),
        content=content,
        blocked=blocked,
        work=work,
        parts=await _amount(_of_none(store, source)),
        records=await _amount(records_of(store, source)),
        relying=tuple(dict.fromkeys(each.by for each in await read_reliance(store, source) if each.homes)),
    )


async def _plan_item(
    store: BlobStore, source: Source, item: str, keeps: dict[str, tuple[str, ...]], work: Amount
) -> ErasePlan:
    look = await look_for(store, source, item)
    await remember(store, source, item, look)
    snapshots = [
        Found(key=key, items=len(going.ids), left=len(going.left), kept_by=keeps.get(key, ()))
        for key, going in reversed(look.going.items())
        if going
    ]
    held = [each for each in look.manifests if each.name.key in {one.key for one in snapshots if one.kept_by}]
    references, _ = await kept_references(store, held, [])
    blocked = blocked_by(look)
    content, shared = Amount(), set[str]()
    async for info in store.list(content_prefix(source), metadata=True):
        if blocked is None and look.concerns(info):
            if blob_mark(info.name) in look.staying:
                shared.add(info.name)
            elif info.name not in references:
                content += Amount(blobs=1, bytes=info.size)
    parts = await of_no_snapshot(store, source)
    return ErasePlan(
        source=str(source),
        item=item,
        snapshots=tuple(snapshots),
        unreadable=look.unreadable,
        content=content,
        shared=tuple(await who_shares(store, look, look.manifests, shared)),
        blocked=blocked,
        work=work,
        parts=Amount(blobs=len(parts), bytes=sum(info.size for info in parts)),
        unfinished=await any_part_names(store, parts, item),
        unknown=look.unknown,
        records=await _amount(records_about(store, source, look)),
        paths=tuple(sorted(look.paths)),
        is_root=look.is_root,
    )


def blocked_by(look: Look) -> str | None:
    """Why no content can be deleted: a snapshot that cannot be read may refer to any."""
    for key, why in look.unreadable.items():
        return f"{key}: {why} {_NOBODY_KNOWS}"
    return None


async def _amount(blobs: AsyncIterator[BlobInfo]) -> Amount:
    found = Amount()
    async for info in blobs:
        found += Amount(blobs=1, bytes=info.size)
    return found


def work_prefix_of(source: Source) -> str:
    """The work areas of all runs of a source."""
    return f"work/{source_path(source)}/"


async def _of_none(store: BlobStore, source: Source) -> AsyncIterator[BlobInfo]:
    for info in await of_no_snapshot(store, source):
        yield info


async def of_no_snapshot(store: BlobStore, source: Source) -> list[BlobInfo]:
    """Parts of snapshots that were never committed, and parts that the manifest beside them does not speak of."""
    repository, found = SnapshotRepository(store), list[BlobInfo]()
    for name, folder in (await read_folders(store, snapshots_prefix(source))).items():
        if not folder.committed:
            found += folder.others
        elif (manifest := await repository.try_read(name)) is not None:
            found += _not_named(manifest, folder.others)
    return found


def _not_named(manifest: Manifest, blobs: list[BlobInfo]) -> list[BlobInfo]:
    named = named_parts(manifest)
    return [info for info in blobs if info.name not in named]


async def records_of(store: BlobStore, source: Source) -> AsyncIterator[BlobInfo]:
    """All that is on record of a source, but for holds, readers, locks and erasures."""
    for prefix in (damaged_prefix(source), verified_prefix(source), stopped_prefix(source)):
        async for info in store.list(prefix):
            yield info


async def records_about(store: BlobStore, source: Source, look: Look) -> AsyncIterator[BlobInfo]:
    """Records of damage that name an item that goes."""
    needles = [quoted(ident) for ident in look.gone]
    async for info in store.list(damaged_prefix(source)):
        if await is_named_in(store, info, needles):
            yield info
