"""Legal holds: a snapshot with a hold is kept, whatever the rules say, until the hold is released.

A hold is an empty, create-only blob ``holds/<source>/<series>/<snapshot>/<tag>``, and a lease without an end on the
manifest: the service itself refuses to delete what is leased, also to a retention that looked for holds before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from include.drive_backup.blob.names import SnapshotName, decode_segment, hold_name, holds_prefix
from include.drive_backup.errors import ConfigError, CredentialsError, PermanentError, SnapshotNotFoundError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

_MAX_TAG = 64
#: What a person does in Azure Portal that comes to the same: nothing deletes a blob that is leased.
_PORTAL = {"hold": "'Acquire lease'", "release": "'Break lease'"}


async def read_holds(store: BlobStore, source: Source) -> dict[str, tuple[str, ...]]:
    """The tags on the snapshots of a source, by the snapshot's series and id."""
    found: dict[str, tuple[str, ...]] = {}
    prefix = holds_prefix(source)
    async for info in store.list(prefix):
        series, ident, tag = [*info.name.removeprefix(prefix).split("/", 2), "", ""][:3]
        found[f"{series}/{ident}"] = (*found.get(f"{series}/{ident}", ()), _tag(tag))
    return found


def _tag(segment: str) -> str:
    """The tag; a name that is not one holds as well, and is shown as it is."""
    try:
        return decode_segment(segment)
    except ValueError:
        return segment


async def hold(store: BlobStore, snapshot: SnapshotName, tag: str) -> bool:
    """Forbid retention to delete a snapshot. When this returns, the snapshot can no longer be deleted.

    :param tag: says why, e.g. ``case-7``; several may hold one snapshot.
    :return: false when it was held by this tag already.
    :raises ConfigError: the tag is empty, too long, or not printable.
    :raises SnapshotNotFoundError: the snapshot is not there, or retention has deleted it at this very moment.
    :raises CredentialsError: this credential may not write.
    :raises TransientError: another program leases the manifest for a while.
    """
    name = hold_name(snapshot, check_tag(tag))
    async with _writing("hold", snapshot):
        made = await store.put(name, b"")
        try:
            await _fence(store, snapshot)
        except BaseException as error:
            if made or isinstance(error, SnapshotNotFoundError):
                await store.delete([name])
                await _let_go(store, snapshot)
            raise
    return made


async def release(store: BlobStore, snapshot: SnapshotName, tag: str) -> bool:
    """Take a hold away.

    :return: false when there was none.
    :raises PermanentError: Blob Storage keeps it.
    :raises CredentialsError: this credential may not delete or write.
    """
    name = hold_name(snapshot, check_tag(tag))
    there = await store.head(name) is not None
    async with _writing("release", snapshot):
        for refused in (await store.delete([name])).values():
            raise PermanentError(f"The hold '{tag}' stays: {refused.message}", reason=refused.reason)
        await _let_go(store, snapshot)
    return there


async def _fence(store: BlobStore, snapshot: SnapshotName) -> None:
    leased = await store.lease(snapshot.manifest)
    # Looked for after the lease is there: what is there then stays.
    if not leased or not await SnapshotRepository(store).is_there(snapshot):
        raise SnapshotNotFoundError(
            f"There is no snapshot {snapshot.ident} of {snapshot.source}; `drive-backup snapshots {snapshot.source}` "
            "lists them."
        )


async def _let_go(store: BlobStore, snapshot: SnapshotName) -> None:
    """End the lease unless another hold needs it."""
    if snapshot.key in await read_holds(store, snapshot.source):
        return
    await store.end_lease(snapshot.manifest)
    # A hold that came meanwhile found a lease, and it was this one.
    if snapshot.key in await read_holds(store, snapshot.source):
        await store.lease(snapshot.manifest)


@asynccontextmanager
async def _writing(what: str, snapshot: SnapshotName) -> AsyncIterator[None]:
    try:
        yield
    except CredentialsError as error:
        raise CredentialsError(
            f"This credential may not {what} a snapshot: that needs the right to create, write and delete blobs (SAS "
            "letters c, w and d, or the role 'Storage Blob Data Contributor'). Without it, pause "
            "google_drive_retention in Airflow. Or let somebody who may write open the blob in Azure Portal and choose "
            f"{_PORTAL[what]}: {snapshot.manifest}",
            reason=error.reason,
        ) from error


def check_tag(tag: str) -> str:
    """Refuse what is not a tag.

    :raises ConfigError: with what is allowed.
    """
    if not 1 <= len(tag) <= _MAX_TAG or not tag.isprintable() or tag != tag.strip():
        raise ConfigError(f"'{tag}' is no tag; write 1 to {_MAX_TAG} printable characters, e.g. case-7.")
    return tag
