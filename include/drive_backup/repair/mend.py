"""Put one blob back: undeleted, or written from an older version, and its bytes compared with the catalogue's hash."""

from __future__ import annotations

from typing import get_args

from include.drive_backup.errors import CorruptStoreError, CredentialsError, PermanentError
from include.drive_backup.model import Tier
from include.drive_backup.ports import Earlier, Guard, RepairStore
from include.drive_backup.repair.model import Remedy, Repaired
from include.drive_backup.repair.search import Wanted, are_bytes, has_bytes
from include.drive_backup.transfer.upload import Upload

_NOT_RIGHT = (
    "What the account keeps of it turned out to have other bytes. Verify with --record, so that it is not used."
)
_CHANGED = "Somebody wrote the blob meanwhile. It was left as it is; verify again."


async def mend(store: RepairStore, remedy: Remedy, guard: Guard) -> Repaired:
    """Do what a remedy says. A blob that has the right bytes is left alone.

    :param guard: asked before each change.
    :raises CredentialsError: the credential may not write.
    """
    try:
        why = await _mend(store, remedy, guard)
    except CredentialsError:
        raise
    except PermanentError as error:  # such as an immutability policy of this blob
        why = str(error)
    return Repaired(remedy=remedy, done=not why, why=why)


async def _mend(store: RepairStore, remedy: Remedy, guard: Guard) -> str:
    """Why it did not work; empty when it did."""
    wanted, earlier = (remedy.size or 0, remedy.sha256 or ""), remedy.earlier
    if await _is_right(store, remedy.blob, wanted):
        return ""
    if remedy.how == "undelete":
        return await _undelete(store, remedy, wanted, guard)
    if earlier is None:
        return _NOT_RIGHT
    return "" if await _write(store, remedy, earlier, guard) else _CHANGED


async def _undelete(store: RepairStore, remedy: Remedy, wanted: Wanted, guard: Guard) -> str:
    """As :func:`_mend`. Blob snapshots that come back are deleted again: retention could not delete the blob else."""
    deleted = {each.snapshot for each in await store.earlier(remedy.blob) if each.deleted and each.snapshot}
    await store.undelete(remedy.blob, guard=guard)
    try:
        if await _is_right(store, remedy.blob, wanted):
            return ""
        # What came back is not the blob itself, but an older state of it.
        earlier = await _readable(store, remedy.blob, wanted)
        if earlier is None:
            return _NOT_RIGHT
        return "" if await _write(store, remedy, earlier, guard) else _CHANGED
    finally:
        for each in await store.earlier(remedy.blob):
            if each.snapshot in deleted and not each.deleted:
                await store.discard(each, guard=guard)


async def _is_right(store: RepairStore, blob: str, wanted: Wanted) -> bool:
    info = await store.head(blob)
    if info is None or info.md5 is None or info.size != wanted[0]:
        return False
    return await are_bytes(store.stream(blob), wanted)


async def _readable(store: RepairStore, blob: str, wanted: Wanted) -> Earlier | None:
    for each in await store.earlier(blob):
        if not each.deleted and each.info.size == wanted[0] and await has_bytes(store, each, wanted):
            return each
    return None


async def _write(store: RepairStore, remedy: Remedy, earlier: Earlier, guard: Guard) -> bool:
    """Write an older state under the blob's name: in the place of what was looked at, or as a new blob.

    :raises CorruptStoreError: it has other bytes than when it was looked at.
    """
    info = earlier.info
    target = store if remedy.found is None else store.over(remedy.found)
    tier = info.tier if info.tier in get_args(Tier) else None
    async with Upload(target, info.name, info.size, tier) as upload:  # type: ignore[arg-type]
        async for piece in store.stream_earlier(earlier):
            await upload.write(piece)
        await upload.finish()
        if (upload.size, upload.sha256) != (remedy.size, remedy.sha256):
            raise CorruptStoreError(_NOT_RIGHT)
        guard()
        content_type = info.content_type or "application/octet-stream"
        return await upload.commit(content_type=content_type, metadata=info.metadata)
