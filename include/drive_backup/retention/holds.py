"""Legal holds: a snapshot with a hold is kept, whatever the rules say, until the hold is released.

A hold is an empty, create-only blob ``holds/<source>/<snapshot>/<tag>``.
"""

from __future__ import annotations

from include.drive_backup.blob.names import SnapshotName, decode_segment, hold_name, holds_prefix
from include.drive_backup.errors import ConfigError, PermanentError, SnapshotNotFoundError
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

_MAX_TAG = 64


async def read_holds(store: BlobStore, source: Source) -> dict[str, tuple[str, ...]]:
    """The tags on the snapshots of a source, by the snapshot's id."""
    found: dict[str, tuple[str, ...]] = {}
    prefix = holds_prefix(source)
    async for info in store.list(prefix):
        ident, _, tag = info.name.removeprefix(prefix).partition("/")
        found[ident] = (*found.get(ident, ()), _tag(tag))
    return found


def _tag(segment: str) -> str:
    """The tag; a name that is not one holds as well, and is shown as it is."""
    try:
        return decode_segment(segment)
    except ValueError:
        return segment


async def hold(store: BlobStore, snapshot: SnapshotName, tag: str) -> bool:
    """Forbid retention to delete a snapshot.

    :param tag: says why, e.g. ``case-7``; several may hold one snapshot.
    :return: false when it was held by this tag already.
    :raises ConfigError: the tag is empty, too long, or not printable.
    :raises SnapshotNotFoundError: the snapshot is not there, or retention has deleted it at this very moment.
    """
    made = await store.put(hold_name(snapshot, check_tag(tag)), b"")
    # Looked for after the hold is there: whoever deletes looks for holds first.
    if await store.head(snapshot.manifest) is None:
        await store.delete([hold_name(snapshot, tag)])
        raise SnapshotNotFoundError(
            f"There is no snapshot {snapshot.ident} of {snapshot.source}; `drive-backup snapshots {snapshot.source}` "
            "lists them."
        )
    return made


async def release(store: BlobStore, snapshot: SnapshotName, tag: str) -> bool:
    """Take a hold away.

    :return: false when there was none.
    :raises PermanentError: Blob Storage keeps it.
    """
    name = hold_name(snapshot, check_tag(tag))
    there = await store.head(name) is not None
    for refused in (await store.delete([name])).values():
        raise PermanentError(f"The hold '{tag}' stays: {refused.message}", reason=refused.reason)
    return there


def check_tag(tag: str) -> str:
    """Refuse what is no tag.

    :raises ConfigError: with what is allowed.
    """
    if not 1 <= len(tag) <= _MAX_TAG or not tag.isprintable() or tag != tag.strip():
        raise ConfigError(f"'{tag}' is no tag; write 1 to {_MAX_TAG} printable characters, e.g. case-7.")
    return tag
