"""What else in the container names a person or an item: snapshots of other sources, and what runs left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from itertools import product

import msgspec

from include.drive_backup.blob.names import content_prefix, snapshots_prefix, source_of, source_path
from include.drive_backup.erasure.naming import is_named_in, spellings
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.catalogue import read_batches
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, Struct, format_instant
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.retention.amount import Amount
from include.drive_backup.retention.leftovers import delete_all
from include.drive_backup.retention.plan import is_older

#: What runs left behind that belongs to no source alone, and how many segments of a name one run's blobs share.
_SHARED = {"work/run/": 3, "work/restore/": 3, "outbox/": 1, "quota/": 1, "people/": 1}
#: These may be deleted when nothing was written there for so many days, which is what retention waits by default
#: (leftover_days). A run that waits for an approval writes nothing, and needs its plan when it goes on.
_OF_RUNS = ("work/run/", "work/restore/")
OVER_DAYS = 30
_NAMED = 3
#: The columns that may name somebody.
_COLUMNS = {
    "items": ("resource", "path"),
    "details": ("value",),
    "left": ("item_id", "path", "owner", "moved_to", "trashed_with"),
}


class Mention(Struct, frozen=True):
    """Snapshots of a source that name somebody or something, and the items whose rows do.

    :param unreadable: snapshots that could not be searched.
    """

    source: str
    snapshots: int = 0
    items: int = 0
    examples: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class Twin(Struct, frozen=True):
    """The other source of the same person: ``user/…`` of ``shared/…``, and the reverse."""

    source: str
    snapshots: int


class Trace(Struct, frozen=True):
    """What one run left behind, or some blobs under a common name.

    :param written: when the newest blob was, as an instant.
    :param over: nothing was written for so long that it may be deleted.
    """

    prefix: str
    blobs: int
    written: str = ""
    over: bool = False


async def sources_with_anything(store: BlobStore) -> list[Source]:
    """All sources that have a snapshot, content, or a work area."""
    found: dict[Source, None] = {}
    for prefix in ("snapshots/", "content/", "work/"):
        async for info in store.list(prefix):
            source = source_of(info.name)
            if source is not None:
                found[source] = None
    return sorted(found, key=str)


async def find_twin(store: BlobStore, source: Source) -> Twin | None:
    """The other source of the same person; None when there is nothing of it."""
    if source.user is None:
        return None
    twin = Source(kind="shared" if source.kind == "user" else "user", id=source.id)
    snapshots = await SnapshotRepository(store).names(twin)
    for prefix in (snapshots_prefix(twin), content_prefix(twin), f"work/{source_path(twin)}/"):
        async for _ in store.list(prefix):
            return Twin(source=str(twin), snapshots=len(snapshots))
    return None


async def find_mentions(store: BlobStore, source: Source, texts: Sequence[str]) -> Mention | None:
    """Search all snapshots of a source.

    :param texts: addresses, ids or paths; any of these.
    :return: None when nothing names it.
    """
    repository, snapshots, ids, unreadable = SnapshotRepository(store), 0, dict[str, None](), list[str]()
    for name in await repository.names(source):
        try:
            manifest = await repository.read(name)
            found = [] if manifest is None else [each async for each in _in(store, manifest, texts)]
        except UNREADABLE:
            unreadable.append(name.key)
            continue
        snapshots += bool(found)
        ids |= dict.fromkeys(found)
    ids.pop("", None)
    if not snapshots and not unreadable:
        return None
    return Mention(
        source=str(source),
        snapshots=snapshots,
        items=len(ids),
        examples=tuple(list(ids)[:_NAMED]),
        unreadable=tuple(unreadable),
    )


async def _in(store: BlobStore, manifest: Manifest, texts: Sequence[str]) -> AsyncIterator[str]:
    """The ids of the items whose rows name it; the empty one for the manifest."""
    from include.drive_backup.manifest.tables import ids_of_rows_with  # noqa: PLC0415 - imports pyarrow

    wanted = [spelling for text in texts for spelling in spellings(text)]
    said = "\n".join(_texts(msgspec.json.decode(manifest.to_json()))).lower()
    if any(each.lower() in said for each in wanted):
        yield ""
    beside = manifest.details.parts if manifest.details else ()
    left = manifest.left.parts if manifest.left else ()
    for kind, parts in (("items", manifest.parts), ("details", beside), ("left", left)):
        async for batch in read_batches(store, kind, parts, list(dict.fromkeys(("item_id", *_COLUMNS[kind])))):
            for column, each in product(_COLUMNS[kind], wanted):
                for ident in ids_of_rows_with(batch, column, each):
                    yield ident


def _texts(value: object) -> Iterator[str]:
    """All texts of a manifest, but where it is kept and what its erasures say."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for key, each in value.items():
            if key not in _OWN:
                yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


_OWN = frozenset({"blob", "record", "source", "base", "before", "after", "work"})


async def find_traces(store: BlobStore, needles: Sequence[bytes]) -> list[Trace]:
    """Search what runs left behind.

    :param needles: any of these.
    """
    now, found = await store.now(), list[Trace]()
    for prefix, depth in _SHARED.items():
        async for key, group in _groups(store, prefix, depth):
            naming = [info for info in group if await is_named_in(store, info, needles)]
            if naming:
                over = prefix in _OF_RUNS and all(
                    is_older(info.modified, now - timedelta(days=OVER_DAYS)) for info in group
                )
                written = max((format_instant(info.modified) for info in group if info.modified), default="")
                found.append(Trace(prefix=key, blobs=len(naming), written=written, over=over))
    return found


async def delete_traces(store: BlobStore, traces: Sequence[Trace]) -> Amount:
    """Delete what runs that are over left behind."""
    done = Amount()
    for trace in traces:
        if trace.over:
            done += await delete_all(store, [info async for info in store.list(f"{trace.prefix}/")])
    return done


async def _groups(store: BlobStore, prefix: str, depth: int) -> AsyncIterator[tuple[str, list[BlobInfo]]]:
    groups: dict[str, list[BlobInfo]] = {}
    async for info in store.list(prefix, metadata=True):
        groups.setdefault("/".join(info.name.split("/")[:depth]), []).append(info)
    for key, group in groups.items():
        yield key, group
