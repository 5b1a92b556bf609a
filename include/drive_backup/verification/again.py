"""Whether what is missing was there again since its loss was recorded: then this is another loss, and news.

A commit looks that every content is in the container, so a snapshot that refers to one, and that was committed after
the loss was seen, proves that it was there again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName, parse_snapshot, snapshots_prefix
from include.drive_backup.damage import loss_stem, moment_of, record_name
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, is_instant, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import decode_json
from include.drive_backup.verification.model import Damage


async def lost_again(store: BlobStore, source: Source, damages: Sequence[Damage]) -> list[Damage]:
    """Mark as new what is lost for another time.

    :param damages: with the snapshots that refer to them.
    """
    if not any(_is_content(damage) for damage in damages):
        return list(damages)
    committed = await _committed(store, source, {key for damage in damages for key in damage.snapshots})
    return [
        _next(damage) if _is_content(damage) and await _was_there(store, damage, committed) else damage
        for damage in damages
    ]


def _is_content(damage: Damage) -> bool:
    return damage.known and damage.lost is not None and damage.item_id is not None


def _next(damage: Damage) -> Damage:
    assert damage.lost is not None  # noqa: S101 - for mypy; see _is_content
    loss = damage.lost.again(damage.seen)
    return replace(damage, known=False, record=loss_stem(damage.blob, damage.sha256 or "", loss))


async def _committed(store: BlobStore, source: Source, keys: Collection[str]) -> dict[str, datetime]:
    """When snapshots were committed, by their series and id, and Blob's clock."""
    found = {}
    async for info in store.list(snapshots_prefix(source)):
        name = parse_snapshot(info.name)
        if name is not None and name.key in keys and info.name == name.manifest and info.modified is not None:
            found[name.key] = min(info.modified, await _ended(store, name) or info.modified)
    return found


async def _ended(store: BlobStore, name: SnapshotName) -> datetime | None:
    """What the manifest says of its commit, in whole seconds as Blob's: a copy of the container does not change it."""
    manifest = await SnapshotRepository(store).try_read(name)
    if manifest is None or not is_instant(manifest.ended):
        return None
    return parse_instant(manifest.ended).replace(microsecond=0)


async def _was_there(store: BlobStore, damage: Damage, committed: Mapping[str, datetime]) -> bool:
    assert damage.lost is not None  # noqa: S101 - for mypy; see _is_content
    seen = moment_of(damage.lost)
    if any(committed[key] > seen for key in damage.snapshots if key in committed):
        return True
    # Blob's clock has seconds: of what was committed in that one, the record says whether it was there already.
    doubtful = {_ident(key) for key in damage.snapshots if committed.get(key) == seen}
    return bool(doubtful) and not doubtful <= set(map(_ident, await _referring_then(store, damage)))


def _ident(key: str) -> str:
    """A record has the id alone where the source had one series."""
    return key.rpartition("/")[2]


async def _referring_then(store: BlobStore, damage: Damage) -> set[str]:
    """The snapshots that referred to it when its loss was recorded; all of today, if the record cannot be read."""
    data = await store.read(record_name(Source.parse(damage.source), damage.record))
    try:
        return set(decode_json(data or b"", _Recorded).snapshots)
    except ValueError:
        return set(damage.snapshots)


class _Recorded(msgspec.Struct):
    snapshots: tuple[str, ...] = ()
