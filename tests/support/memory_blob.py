"""A container in memory that refuses what the service refuses, with a hook that makes it fail."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from include.drive_backup.blob import rules
from include.drive_backup.blob.errors import LEASED
from include.drive_backup.blob.rules import (
    block_id,
    check_block,
    check_name,
    check_put,
    decode_metadata,
    encode_metadata,
)
from include.drive_backup.errors import (
    BrokenBodyError,
    ContainerMissingError,
    ContentArchivedError,
    CorruptStoreError,
)
from include.drive_backup.model import Priority, Refused, Tier
from include.drive_backup.ports import BlobInfo, Clock, Guard

#: Called as ``fault(phase, operation, name)``; ``phase`` is "before" (nothing happened yet) or "after" (it is
#: done, the answer gets lost). Operations: ensure put stage commit head read stream list delete tier lease unlease
#: now. It may raise.
Fault = Callable[[str, str, str], None]


class MemoryBlobStore:
    """Implements ``ports.BlobStore``. ``blobs`` maps each name to its bytes and properties; look, or tamper.

    Its time grows by a second with each write, or is that of ``clock``. What is ``immutable`` cannot be deleted. What
    is in ``fixed`` stays in its tier. What leaves the archive is pending until :meth:`rehydrate` is called.
    """

    def __init__(self, *, fault: Fault | None = None, container: bool = True) -> None:
        self.blobs: dict[str, tuple[bytes, BlobInfo]] = {}
        self.staged: dict[str, dict[str, bytes]] = {}
        self.fault = fault
        self.container = container
        self.calls: Counter[str] = Counter()
        self.clock: Clock | None = None
        self.immutable: set[str] = set()
        self.fixed: set[str] = set()
        #: Where each blob that is pending goes, and how soon that was asked for.
        self.pending: dict[str, tuple[Tier, Priority | None]] = {}
        #: When the lease of a blob ends; None: never.
        self.leases: dict[str, datetime | None] = {}
        #: Of those that never end.
        self.epochs: dict[str, int] = {}
        self._writes = 0

    url = "memory://container"
    strain = 0

    @property
    def writes(self) -> int:
        return self.calls["put"] + self.calls["stage"] + self.calls["commit"] + self.calls["tier"]

    async def ensure_container(self, *, create: bool) -> None:
        self.calls["ensure"] += 1
        self._strike("before", "ensure", "")
        if not self.container and not create:
            raise ContainerMissingError("The container is missing.")
        self.container = True

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
        md5: bytes | None = None,
        tier: Tier | None = None,
        guard: Guard | None = None,
    ) -> bool:
        check_put(name, len(data))
        encoded = encode_metadata(metadata or {})
        if guard is not None:
            guard()
        self._enter("put", name)
        if md5 not in (None, hashlib.md5(data).digest()):
            raise BrokenBodyError("These are not the bytes of the checksum.", reason="Md5Mismatch")
        return self._create("put", name, bytes(data), hashlib.md5(data).hexdigest(), content_type, encoded, tier)

    async def stage_block(self, name: str, index: int, data: bytes, *, upload_key: str) -> None:
        check_block(name, len(data))
        self._enter("stage", name)
        self.staged.setdefault(name, {})[block_id(upload_key, index)] = bytes(data)
        self._strike("after", "stage", name)

    async def commit_blocks(
        self,
        name: str,
        count: int,
        *,
        upload_key: str,
        md5: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
        tier: Tier | None = None,
    ) -> bool:
        check_name(name)
        encoded = encode_metadata(metadata or {})
        ids = [block_id(upload_key, index) for index in range(count)]
        if not ids:
            raise ValueError("A blob of no blocks is an empty blob; put it.")
        self._enter("commit", name)
        if not self._may_write(name):
            return False
        blocks = self.staged.get(name, {})
        if any(ident not in blocks for ident in ids):
            raise BrokenBodyError(f"Staged pieces of '{name}' are gone.", reason="InvalidBlockList")
        data = b"".join(blocks[ident] for ident in ids)
        return self._create("commit", name, data, md5.hex(), content_type, encoded, tier)

    async def head(self, name: str) -> BlobInfo | None:
        check_name(name)
        self._enter("head", name)
        found = self.blobs.get(name)
        return found[1] if found else None

    async def read(self, name: str) -> bytes | None:
        check_name(name)
        self._enter("read", name)
        if name not in self.blobs:
            return None
        return self._checked(name)

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        check_name(name)
        self._enter("stream", name)
        if name not in self.blobs:
            raise CorruptStoreError(f"The blob '{name}' is not there.", reason="blobMissing")
        data = self._checked(name)
        for start in range(0, len(data), 64 * 1024):
            yield data[start : start + 64 * 1024]

    async def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        self._enter("list", prefix)
        for name in sorted(name for name in self.blobs if name.startswith(prefix)):
            if name not in self.blobs:
                continue
            info = self.blobs[name][1]
            yield info if metadata else msgspec.structs.replace(info, metadata={})

    async def delete(self, names: Sequence[str], *, guard: Guard | None = None) -> dict[str, Refused]:
        kept = {}
        for name in names:
            check_name(name)
            if guard is not None:
                guard()
            self._enter("delete", name)
            if name in self.blobs and self._is_leased(name):
                kept[name] = Refused(reason=LEASED, message="It is leased.")
                continue
            if name in self.immutable and name in self.blobs:
                kept[name] = Refused(reason="BlobImmutableDueToPolicy", message="An immutability policy protects it.")
                continue
            self.blobs.pop(name, None)
            self.leases.pop(name, None)
            self._strike("after", "delete", name)
        return kept

    async def lease(self, name: str, *, seconds: int | None = None, epoch: int = 0) -> bool:
        check_name(name)
        if seconds is not None and not 15 <= seconds <= 60:
            raise ValueError("A lease lasts 15 to 60 seconds, or has no end.")
        self._enter("lease", name)
        if name not in self.blobs:
            return False
        if not (self._is_leased(name) and self.leases[name] is None):
            self.epochs.pop(name, None)
            self.leases[name] = None if seconds is None else self._time() + timedelta(seconds=seconds)
        if seconds is None:
            self.epochs[name] = max(epoch, self.epochs.get(name, 0))
        return True

    async def end_lease(self, name: str, *, epoch: int = 0) -> None:
        check_name(name)
        self._enter("unlease", name)
        if self.leases.get(name, self) is None and self.epochs[name] <= epoch:
            del self.leases[name]

    def _is_leased(self, name: str) -> bool:
        if name not in self.leases:
            return False
        until = self.leases[name]
        return until is None or self._time() < until

    async def set_tier(
        self, names: Sequence[str], tier: Tier, *, priority: Priority | None = None
    ) -> dict[str, Refused]:
        refused = {}
        for name in names:
            check_name(name)
            self._enter("tier", name)
            if name not in self.blobs:
                continue
            data, info = self.blobs[name]
            if name in self.fixed or info.rehydrating:
                reason = "BlobBeingRehydrated" if info.rehydrating else "BlobImmutableDueToPolicy"
                refused[name] = Refused(reason=reason, message="It stays where it is.")
                continue
            leaves = info.tier == "archive" and tier != "archive"
            if leaves:
                self.pending[name] = (tier, priority)
                moved = msgspec.structs.replace(info, rehydrating=True)
            else:
                moved = msgspec.structs.replace(info, tier=tier, tier_changed=self._time())
            self.blobs[name] = (data, moved)
            self._strike("after", "tier", name)
        return refused

    def rehydrate(self) -> None:
        """The hours are over: what was pending can be read."""
        for name, (tier, _) in self.pending.items():
            data, info = self.blobs[name]
            self.blobs[name] = (
                data,
                msgspec.structs.replace(info, tier=tier, rehydrating=False, tier_changed=self._time()),
            )
        self.pending.clear()

    async def now(self) -> datetime:
        self._enter("now", "")
        return self._time()

    def _time(self) -> datetime:
        if self.clock is not None:
            return self.clock.now()
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._writes)

    def _create(
        self,
        operation: str,
        name: str,
        data: bytes,
        md5: str,
        content_type: str,
        encoded: dict[str, str],
        tier: Tier | None = None,
    ) -> bool:
        if not self._may_write(name):
            return False
        self._writes += 1
        info = BlobInfo(
            name=name,
            size=len(data),
            md5=md5,
            content_type=rules.content_type(content_type),
            metadata=decode_metadata(encoded),
            modified=self._time(),
            tier=tier or "hot",
            tier_changed=self._time(),
        )
        self.blobs[name] = (data, info)
        self.staged.pop(name, None)
        self._strike("after", operation, name)
        return True

    def _may_write(self, name: str) -> bool:
        return name not in self.blobs

    def _checked(self, name: str) -> bytes:
        data, info = self.blobs[name]
        if info.archived:
            reason = "BlobBeingRehydrated" if info.rehydrating else "BlobArchived"
            raise ContentArchivedError(f"The blob '{name}' is in the archive tier.", reason=reason)
        if hashlib.md5(data).hexdigest() != info.md5:
            raise CorruptStoreError(f"The blob '{name}' does not have the bytes of its Content-MD5.")
        return data

    def _enter(self, operation: str, name: str) -> None:
        self.calls[operation] += 1
        if not self.container:
            raise ContainerMissingError("The container is missing.")
        self._strike("before", operation, name)

    def _strike(self, phase: str, operation: str, name: str) -> None:
        if self.fault is not None:
            self.fault(phase, operation, name)
