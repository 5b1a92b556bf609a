"""From damaged blobs to what a person has to know: which snapshots lose what, and whether it is saved elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.damage import SEEN, record_name
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import part_data, read_rows
from include.drive_backup.manifest.inventory import fingerprint, load_sound
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.ports import BlobStore
from include.drive_backup.verification.again import lost_again
from include.drive_backup.verification.model import Damage, Reference
from include.drive_backup.verification.references import groups, open_part

#: What a content is, apart from its item: a blob's name is not enough, since exports may be made anew under it.
_Key = tuple[str, str]


async def describe(store: BlobStore, source: Source, damages: Iterable[Damage]) -> list[Damage]:
    """Fill in the snapshots, whether they are read today, and what replaces the damage.

    Damage of content that no snapshot refers to any more is left out: retention deleted it while it was looked at.
    """
    # What was found twice, by its listing and by reading, is told once.
    found = {(damage.record, *_key(damage), damage.wrong, damage.item_id): damage for damage in damages}.values()
    if not found:
        return []
    repository = SnapshotRepository(store)
    newest_first = list(reversed(await repository.names(source)))
    wholes = await _wholes(repository, newest_first)
    snapshots = await _snapshots(store, repository, newest_first, [_key(each) for each in found if not each.snapshots])
    sound = await load_sound(store, source) if wholes else set[bytes]()
    replacing = [(whole, await _replacements(store, whole, found, sound)) for whole in wholes.values()]
    read_today = {name.key for name in _read_today(_of_jobs(newest_first), wholes)}
    shown = _shown(newest_first)
    described = []
    for damage in found:
        keys = damage.snapshots or tuple(snapshots.get(_key(damage), ()))
        if not keys:
            continue
        replaced, saved = _replaced(damage, replacing)
        described.append(
            replace(
                damage,
                snapshots=keys,
                current=bool(read_today.intersection(keys)),
                replaced=shown[replaced.name.key] if replaced else None,
                saved=saved,
            )
        )
    described = [
        replace(damage, snapshots=tuple(shown.get(key, key) for key in damage.snapshots))
        for damage in await lost_again(store, source, described)
    ]
    return sorted(described, key=lambda damage: (not damage.alarming, damage.path or "", damage.blob))


def _shown(names: Sequence[SnapshotName]) -> dict[str, str]:
    """What a person calls each snapshot: by its id alone where the source has one series only."""
    alone = len({name.series for name in names}) == 1
    return {name.key: name.ident if alone else name.key for name in names}


def _replaced(
    damage: Damage, replacing: Sequence[tuple[Manifest, Mapping[tuple[str, str], str]]]
) -> tuple[Manifest | None, bool]:
    """A snapshot that holds the item whole, if there is one: with the same bytes, if possible."""
    item = _item(damage)
    found = [
        (whole, sums[item] == damage.sha256)
        for whole, sums in replacing
        if item in sums and whole.name.key not in damage.snapshots
    ]
    return max(found, key=lambda each: each[1], default=(None, False))


async def record(store: BlobStore, damages: Iterable[Damage], returned: Iterable[tuple[str, str]] = ()) -> None:
    """Record damage that was reported, so that the next backup stores it again and the next verification knows it.

    :param returned: by source, names of records that say that something lost is there again.
    """
    for source, stem in returned:
        await _write(store, record_name(Source.parse(source), stem), {"source": source, "found": True}, {})
    for damage in damages:
        if not damage.known:
            # A copy of the container has times of its own; this one stays.
            when = {SEEN: damage.seen}
            await _write(store, record_name(Source.parse(damage.source), damage.record), damage.to_dict(), when)


async def _write(store: BlobStore, name: str, body: dict[str, Any], metadata: dict[str, str]) -> None:
    data = json.dumps(body, indent=2).encode()
    await store.put(name, data, content_type="application/json", metadata=metadata)


def _key(damage: Damage) -> _Key:
    return damage.blob, damage.sha256 or ""


def _item(damage: Damage) -> tuple[str, str]:
    return damage.item_id or "", damage.format or ""


async def _wholes(repository: SnapshotRepository, newest_first: Sequence[SnapshotName]) -> dict[Series, Manifest]:
    """Of each series the snapshot that readers take today."""
    found: dict[Series, Manifest] = {}
    for name in newest_first:
        manifest = None if name.series in found else await repository.try_read(name)
        if manifest is not None and manifest.status == "complete":
            found[name.series] = manifest
    return found


def _of_jobs(names: Sequence[SnapshotName]) -> Sequence[SnapshotName]:
    """Without what a person narrowed, where there is anything else.

    Nobody gets that without asking for it by its name, and it may have no later snapshot that would make it good.
    """
    return [name for name in names if not name.series.narrowed] or names


def _read_today(newest_first: Sequence[SnapshotName], wholes: Mapping[Series, Manifest]) -> Iterator[SnapshotName]:
    """What damage must not be in: the newest complete snapshot of each series, and all after it."""
    passed = set()
    for name in newest_first:
        if name.series not in passed:
            yield name
        if name.series in wholes and wholes[name.series].name == name:
            passed.add(name.series)


async def _snapshots(
    store: BlobStore, repository: SnapshotRepository, names: Sequence[SnapshotName], wanted: Iterable[_Key]
) -> dict[_Key, list[str]]:
    """The snapshots that refer to each of some blobs."""
    keys, blobs = set(wanted), {blob for blob, _ in wanted}
    found: dict[_Key, list[str]] = {}
    for name in names:
        manifest = await repository.try_read(name)
        if manifest is None:
            continue
        for reference in await _references(store, manifest, blobs):
            ids = found.setdefault((reference.blob, reference.sha256), [])
            if (reference.blob, reference.sha256) in keys and name.key not in ids:
                ids.append(name.key)
    return found


async def _references(store: BlobStore, manifest: Manifest, blobs: set[str]) -> list[Reference]:
    """What a snapshot says of some blobs; a damaged part says nothing, and is damage of its own."""
    found: list[Reference] = []
    for part in manifest.parts:
        try:
            file = open_part(await part_data(store, part), part.blob)
        except CorruptStoreError:
            continue
        for group in groups(file):
            positions = [position for position, (blob, *_) in enumerate(group.stored()) if blob in blobs]
            found += group.references(positions) if positions else ()
    return found


async def _replacements(
    store: BlobStore, manifest: Manifest, damages: Iterable[Damage], sound: AbstractSet[bytes]
) -> dict[tuple[str, str], str]:
    """SHA-256 of the sound contents that the complete snapshot has of damaged items, by id and format."""
    broken = {_key(damage) for damage in damages}
    items = {damage.item_id for damage in damages}
    found: dict[tuple[str, str], str] = {}
    try:
        async for row in read_rows(store, manifest, ["item_id", "contents"]):
            for content in row["contents"] or () if row["item_id"] in items else ():
                mark = fingerprint(content["blob"], content["size"], content["md5"])
                if mark in sound and (content["blob"], content["sha256"]) not in broken:
                    found[row["item_id"], content["format"]] = content["sha256"]
    except CorruptStoreError:
        return found
    return found
