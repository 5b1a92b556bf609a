"""Legal holds: a snapshot with a hold is kept, whatever the rules say, until the hold is released.

A hold is an empty, create-only blob ``holds/<source>/<series>/<snapshot>/<tag>``, and a lease without an end on the
manifest: the service itself refuses to delete what is leased, also to a retention that looked for holds before.

A release may be frozen after it has looked for other holds. So it first leaves a mark ``~<number>``, and then ends only
leases of epochs before that number; who holds takes the lease of the epoch after all marks. Either the release sees the
hold, or the hold sees the mark. docs/adr/0030 has the reasons.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from include.drive_backup.blob.names import SnapshotName, decode_segment, hold_name, holds_prefix, released_name
from include.drive_backup.errors import (
    ConfigError,
    CredentialsError,
    PermanentError,
    SnapshotNotFoundError,
    TransientError,
)
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

_MAX_TAG = 64
#: What a person does in Azure Portal that comes to the same: nothing deletes a blob that is leased.
_PORTAL = {"hold": "'Acquire lease'", "release": "'Break lease'"}
_MARK = re.compile(r"~([0-9]{6})", re.ASCII)
#: More releases than this do not come in the seconds that a hold takes.
_TRIES = 10


async def read_holds(store: BlobStore, source: Source) -> dict[str, tuple[str, ...]]:
    """The tags on the snapshots of a source, by the snapshot's series and id."""
    found: dict[str, tuple[str, ...]] = {}
    prefix = holds_prefix(source)
    async for info in store.list(prefix):
        series, ident, tag = [*info.name.removeprefix(prefix).split("/", 2), "", ""][:3]
        if _MARK.fullmatch(tag):
            continue
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

    When it fails, and the snapshot is there, the record stays: it may be that of somebody else's hold with this tag.

    :param tag: says why, e.g. ``case-7``; several may hold one snapshot.
    :return: false when it was held by this tag already.
    :raises ConfigError: the tag is empty, too long, or not printable.
    :raises SnapshotNotFoundError: the snapshot is not there, or retention has deleted it at this very moment.
    :raises CredentialsError: this credential may not write.
    :raises TransientError: another program leases the manifest for a while, or others release it again and again.
    """
    name, made = hold_name(snapshot, check_tag(tag)), False
    async with _writing("hold", snapshot):
        for _ in range(_TRIES):
            made |= await store.put(name, b"")
            _, epoch = await _look(store, snapshot)
            try:
                await _fence(store, snapshot, epoch)
            except SnapshotNotFoundError:
                await store.delete([name])
                await _let_go(store, snapshot)
                raise
            # The record may have been taken away meanwhile, by who released or could not hold with this tag.
            names, _ = await _look(store, snapshot)
            if name in names:
                return made
    raise TransientError(f"Others release {snapshot.ident} at this very moment. Hold it again in a minute.")


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


async def _fence(store: BlobStore, snapshot: SnapshotName, epoch: int) -> None:
    leased = await store.lease(snapshot.manifest, epoch=epoch)
    # Looked for after the lease is there: what is there then stays.
    if not leased or not await SnapshotRepository(store).is_there(snapshot):
        raise SnapshotNotFoundError(
            f"There is no snapshot {snapshot.ident} of {snapshot.source}; `drive-backup snapshots {snapshot.source}` "
            "lists them."
        )


async def _let_go(store: BlobStore, snapshot: SnapshotName) -> None:
    """End the lease unless another hold needs it."""
    holds, epoch = await _look(store, snapshot)
    if holds:
        return
    await store.put(released_name(snapshot, epoch + 1), b"")
    # A hold that is not seen here was made after the mark, so that its lease is of a later epoch.
    holds, _ = await _look(store, snapshot)
    if not holds:
        await store.end_lease(snapshot.manifest, epoch=epoch)


async def _look(store: BlobStore, snapshot: SnapshotName) -> tuple[set[str], int]:
    """The records of holds on a snapshot, and the number of the last mark: the epoch."""
    prefix = f"{holds_prefix(snapshot.source)}{snapshot.key}/"
    names = {info.name async for info in store.list(prefix)}
    marks = {name: int(mark[1]) for name in names if (mark := _MARK.fullmatch(name.removeprefix(prefix)))}
    return names - marks.keys(), max(marks.values(), default=0)


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
