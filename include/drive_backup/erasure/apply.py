"""Erase of one source what a person asked for, under its lock, in an order that may be broken off at any moment.

Of a whole source: manifests, parts, content. Of an item: each manifest is replaced by one without it, newest first,
since the table of what left speaks of the snapshot before; then the parts and the content to which nothing refers.
Each step looks anew at what there is, so a second erasure goes on where the first one was killed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

from include.drive_backup.blob.names import content_prefix, holds_prefix, snapshots_prefix
from include.drive_backup.erasure import records
from include.drive_backup.erasure.look import Look, look_for, who_shares
from include.drive_backup.erasure.model import Erasure, Shared, Who
from include.drive_backup.erasure.plan import (
    blocked_by,
    of_no_snapshot,
    records_about,
    records_of,
    work_prefix_of,
)
from include.drive_backup.erasure.rewrite import Rewriter, replace_manifest
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.manifest import Erased, Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import read_folders, void_uncommitted
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, Clock, RepairStore
from include.drive_backup.protection import forget_expired
from include.drive_backup.retention.amount import Amount, chunks
from include.drive_backup.retention.deletion import Deletion
from include.drive_backup.retention.plan import kept_references, read_manifests
from include.drive_backup.retention.references import References

#: Blobs of which is asked what the account keeps of them.
_ASKED = 3


async def erase(
    store: RepairStore,
    source: Source,
    item: str | None,
    who: Who,
    lock: SourceLock,
    clock: Clock,
    stop: asyncio.Event | None = None,
) -> Erasure:
    """Erase. It may be repeated.

    :param item: the id of an item; None: all of the source.
    :param lock: of the source.
    :raises SourceBusyError: another run has the source, or all of it is being verified.
    """
    deletion = Deletion(store, source, lock, clock, stop or asyncio.Event())
    lock.will_delete()
    async with holding(lock, clock, give_back=True):
        await deletion.look()
        look = None if item is None else await _look(store, source, item)
        token = secrets.token_hex(4)
        begun = await records.begin(store, source, item, who, look, token)
        await void_uncommitted(store, source, lock.ensure)
        work = _Erasing(store, deletion, lock, records.folder_of(begun, token))
        done = await (work.all() if look is None else work.item(look, begun.when, token))
        await forget_expired(store, source, lock.ensure)
        erasure = Erasure(source=str(source), item=item, record=work.record, **done, **work.refusals)
        await records.finish(store, erasure, who.by)
    return erasure


async def _look(store: RepairStore, source: Source, item: str) -> Look:
    look = await look_for(store, source, item)
    await records.remember(store, source, item, look)
    return look


class _Erasing:
    """One erasure of one source."""

    def __init__(self, store: RepairStore, deletion: Deletion, lock: SourceLock, record: str) -> None:
        self._store, self._deletion, self._lock = store, deletion, lock
        self._source = deletion.source
        self._earlier: dict[str, str] = {}
        self.record = record

    @property
    def refusals(self) -> dict[str, Any]:
        """What was refused so far."""
        refused = tuple(dict.fromkeys(self._deletion.refused))
        return {"kept": tuple(self._deletion.held), "refused": refused, "earlier": tuple(self._earlier)}

    async def all(self) -> dict[str, Any]:
        """Delete all of the source that is not held."""
        names = await SnapshotRepository(self._store).names(self._source)
        snapshots = await self._deletion.forget([name.key for name in names])
        parts = await self._parts()
        manifests, damaged = await read_manifests(self._store, self._source)
        references, blocked = await kept_references(self._store, manifests, damaged)
        content = Amount() if blocked else await self._content(None, references)
        records = Amount()
        if not manifests and not damaged:
            records += await self._delete(records_of(self._store, self._source))
            records += await self._delete(self._store.list(holds_prefix(self._source)))
        done = {"snapshots": tuple(snapshots), "parts": parts, "content": content, "blocked": blocked}
        return {**done, "records": records, "work": await self._tidy()}

    async def item(self, look: Look, when: str, token: str) -> dict[str, Any]:
        """Take an item out of all snapshots that are not held."""
        rewriter, snapshots = Rewriter(self._store, token, self._lock.ensure), list[str]()
        for manifest in reversed(look.manifests):
            if look.going.get(manifest.name.key) and await self._rewrite(rewriter, manifest, look, when):
                snapshots.append(manifest.name.key)
        parts = await self._parts()
        content, shared, blocked = await self._content_of(look)
        records = await self._delete(records_about(self._store, self._source, look))
        done = {"snapshots": tuple(snapshots), "parts": parts, "content": content, "shared": shared}
        unreadable = {"unreadable": look.unreadable, "blocked": blocked, "unknown": look.unknown}
        return {**done, **unreadable, "records": records, "work": await self._tidy()}

    async def _rewrite(self, rewriter: Rewriter, manifest: Manifest, look: Look, when: str) -> bool:
        going = look.going[manifest.name.key]
        erased = Erased(record=self.record, when=when, items=len(going.ids), left=len(going.left))
        try:
            new = await rewriter.without(manifest, going, erased)
        except UNREADABLE as error:
            look.unreadable[manifest.name.key] = str(error)
            return False
        return await replace_manifest(self._store, self._deletion, manifest, new)

    async def _content_of(self, look: Look) -> tuple[Amount, tuple[Shared, ...], str | None]:
        """Delete what only the item had; by the snapshots as they are now, those that are held among them."""
        manifests, damaged = await read_manifests(self._store, self._source)
        references, blocked = await kept_references(self._store, manifests, damaged)
        blocked = blocked or blocked_by(look)
        if blocked is not None:
            return Amount(), (), blocked
        content = await self._content(look, references)
        shared = {
            info.name
            async for info in self._store.list(content_prefix(self._source), metadata=True)
            if look.concerns(info) and info.name in references
        }
        named = await who_shares(self._store, look, manifests, shared)
        # Without another item it is a snapshot that is held that needs it; that is said of the snapshot.
        return content, tuple(each for each in named if each.items), None

    async def _content(self, look: Look | None, references: References) -> Amount:
        blobs = self._store.list(content_prefix(self._source), metadata=look is not None)
        unused = (info async for info in blobs if info.name not in references and (look is None or look.concerns(info)))
        return await self._delete(unused)

    async def _parts(self) -> Amount:
        return await self._delete(_each(await of_no_snapshot(self._store, self._source)))

    async def _tidy(self) -> Amount:
        """Delete work areas, and what marks a snapshot as void where nothing else is left of it."""
        work = await self._delete(self._store.list(work_prefix_of(self._source)))
        folders = await read_folders(self._store, snapshots_prefix(self._source))
        marks = [info for folder in folders.values() if not folder.others for info in folder.marks]
        await self._delete(_each(marks))
        return work

    async def _delete(self, blobs: AsyncIterator[BlobInfo]) -> Amount:
        done = Amount()
        async for some in chunks(blobs):
            done += await self._deletion.delete(some)
            await self._ask(some)
        return done

    async def _ask(self, deleted: list[BlobInfo]) -> None:
        """Whether the account keeps what was deleted: it does so of all blobs or of none."""
        for info in deleted[: _ASKED - len(self._earlier)]:
            kept = await self._store.earlier(info.name)
            if kept:
                self._earlier[info.name] = str(kept[0])


async def _each(blobs: list[BlobInfo]) -> AsyncIterator[BlobInfo]:
    for info in blobs:
        yield info
