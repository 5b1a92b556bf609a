"""Put one blob back: undeleted, or written from what has its bytes, all compared with the catalogue's hash."""

from __future__ import annotations

from typing import get_args

from include.drive_backup.errors import ContentArchivedError, CorruptStoreError, CredentialsError
from include.drive_backup.model import Tier
from include.drive_backup.ports import Earlier, Guard, RepairStore
from include.drive_backup.repair.candidates import ONE_LESS, Wanted, are_bytes, first_right
from include.drive_backup.repair.model import Remedy, Repaired
from include.drive_backup.transfer.upload import Upload

_NOT_RIGHT = (
    "What the account keeps of it turned out to have other bytes. Verify with --record, so that it is not used."
)
_CHANGED = "Somebody wrote the blob meanwhile. It was left as it is; verify again."


async def mend(store: RepairStore, remedy: Remedy, guard: Guard) -> Repaired:
    """Do what a remedy says. A blob that has the right bytes is left alone, and so is one that cannot be read now.

    :param guard: asked before each change.
    :raises CredentialsError: the credential may not write.
    """
    try:
        why = await _mend(store, remedy, guard)
    except CredentialsError:
        raise
    except ONE_LESS as error:  # such as an immutability policy of this blob
        why = str(error)
    return Repaired(remedy=remedy, done=not why, why=why)


async def _mend(store: RepairStore, remedy: Remedy, guard: Guard) -> str:
    """Why it did not work; empty when it did."""
    wanted, earlier = (remedy.size or 0, remedy.sha256 or ""), remedy.earlier
    try:
        if await _is_right(store, remedy.blob, wanted):
            return ""
    except ContentArchivedError:
        # Whether somebody wrote it since it was found damaged is asked again by the write itself.
        pass
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
        kept = [each for each in await store.earlier(remedy.blob) if not each.deleted and each.info.size == wanted[0]]
        tried = await first_right(store, remedy.blob, kept, wanted)
        if tried.right is None:
            return " ".join([_NOT_RIGHT, *tried.unread])
        return "" if await _write(store, remedy, tried.right, guard) else _CHANGED
    finally:
        for each in await store.earlier(remedy.blob):
            if each.snapshot in deleted and not each.deleted:
                await store.discard(each, guard=guard)


async def _is_right(store: RepairStore, blob: str, wanted: Wanted) -> bool:
    info = await store.head(blob)
    if info is None or info.md5 is None or info.size != wanted[0]:
        return False
    return await are_bytes(store.stream(blob), wanted)


async def _write(store: RepairStore, remedy: Remedy, earlier: Earlier, guard: Guard) -> bool:
    """Write an older state, or another blob's bytes, under the blob's name: in the place of what was looked at, or new.

    :raises CorruptStoreError: it has other bytes than when it was looked at.
    """
    info = remedy.properties or earlier.info
    target = store if remedy.found is None else store.over(remedy.found)
    tier = info.tier if info.tier in get_args(Tier) else None
    async with Upload(target, remedy.blob, earlier.info.size, tier) as upload:  # type: ignore[arg-type]
        async for piece in store.stream_earlier(earlier):
            await upload.write(piece)
        await upload.finish()
        if (upload.size, upload.sha256) != (remedy.size, remedy.sha256):
            raise CorruptStoreError(_NOT_RIGHT)
        guard()
        content_type = info.content_type or "application/octet-stream"
        return await upload.commit(content_type=content_type, metadata=info.metadata)
