"""A container in memory of an account that keeps what was deleted or written over, as Azure does."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.model import Refused
from include.drive_backup.ports import Earlier, Guard
from tests.support.memory_target import MemoryTargetStore


class MemoryRepairStore(MemoryTargetStore):
    """Implements ``ports.RepairStore``.

    :param versions: the account keeps a version of each state of a blob.
    :param soft_delete: it keeps deleted blobs, and the state before a write over as a deleted snapshot.
    """

    def __init__(self, *, versions: bool = False, soft_delete: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.versions = versions
        self.soft_delete = soft_delete
        #: what is kept of each blob, the oldest first, with its bytes
        self.kept: dict[str, list[tuple[Earlier, bytes]]] = {}

    async def earlier(self, name: str) -> Sequence[Earlier]:
        self._enter("earlier", name)
        return [earlier for earlier, _ in reversed(self.kept.get(name, []))]

    async def stream_earlier(self, earlier: Earlier) -> AsyncIterator[bytes]:
        if not (earlier.version or earlier.snapshot or earlier.deleted):
            async for piece in self.stream(earlier.info.name):
                yield piece
            return
        self._enter("stream", earlier.info.name)
        for each, data in self.kept.get(earlier.info.name, []):
            if each == earlier and not each.deleted:
                yield data
                return
        raise CorruptStoreError("What is deleted cannot be read.", reason="blobMissing")

    async def undelete(self, name: str, *, guard: Guard | None = None) -> bool:
        if guard is not None:
            guard()
        self._enter("undelete", name)
        back = [pair for pair in self.kept.get(name, []) if pair[0].deleted]
        self.kept[name] = [pair for pair in self.kept.get(name, []) if not pair[0].deleted]
        for earlier, data in back:
            if earlier.version or earlier.snapshot:
                self.kept[name].append((msgspec.structs.replace(earlier, deleted=False), data))
            elif name not in self.blobs:
                self.blobs[name] = (data, earlier.info)
        return bool(back)

    async def discard(self, earlier: Earlier, *, guard: Guard | None = None) -> None:
        if guard is not None:
            guard()
        self._enter("discard", earlier.info.name)
        kept = self.kept[earlier.info.name]
        gone = msgspec.structs.replace(earlier, deleted=True)
        self.kept[earlier.info.name] = [(gone if each == earlier else each, data) for each, data in kept]

    def _may_write(self, name: str) -> bool:
        may = super()._may_write(name)
        if may and self._found is not None:
            self.keep(name, written_over=True)
        return may

    async def delete(self, names: Sequence[str], *, guard: Guard | None = None) -> dict[str, Refused]:
        refused = {}
        for name in names:
            if any(each.snapshot and not each.deleted for each, _ in self.kept.get(name, [])):
                refused[name] = Refused(reason="SnapshotsPresent", message="It has Blob snapshots.")
            elif name in self.blobs:
                self.keep(name)
        return refused | await super().delete([name for name in names if name not in refused], guard=guard)

    # what a test does

    def keep(self, name: str, *, written_over: bool = False) -> None:
        """Keep the state of a blob that is about to end."""
        data, info = self.blobs[name]
        number = f"2026-01-0{1 + len(self.kept.get(name, []))}T00:00:00.0000000Z"
        if self.versions:
            earlier = Earlier(info=info, version=number)
        elif self.soft_delete:
            earlier = Earlier(info=info, snapshot=number if written_over else None, deleted=True)
        else:
            return
        self.kept.setdefault(name, []).append((earlier, data))

    def lose(self, name: str) -> None:
        """Somebody deletes a blob."""
        self.keep(name)
        del self.blobs[name]

    def spoil(self, name: str, data: bytes) -> None:
        """Somebody writes other bytes over a blob; its metadata stay as they are."""
        self.keep(name, written_over=True)
        info = self.blobs.pop(name)[1]
        self._create("put", name, data, hashlib.md5(data).hexdigest(), info.content_type or "", {})
        fresh = self.blobs[name][1]
        self.blobs[name] = (data, msgspec.structs.replace(fresh, metadata=info.metadata))
