"""Snapshots that were never committed, or that lost their commit: what says so, and how a listing shows it.

Two marks, both create-only. A *void manifest*, always the same bytes, takes the name of a manifest, so that a run that
lost the lock of its source cannot commit there: the service itself refuses it. ``void.json`` beside a manifest says
that the lock was lost when the manifest was written, so that what it refers to may have been deleted. docs/adr/0020
has the reasons, docs/format.md the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

from include.drive_backup.blob.names import SnapshotName, parse_snapshot, snapshots_prefix
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobInfo, BlobStore, Guard

#: The bytes of every void manifest. They never change: a listing tells them by their length and MD5.
VOID_MANIFEST = (
    b'{"void":"This snapshot was never committed. This blob keeps a run that lost the lock of its source from '
    b'committing it."}\n'
)
_MD5 = hashlib.md5(VOID_MANIFEST, usedforsecurity=False).hexdigest()
_JSON = "application/json"


class Folder:
    """The blobs of one snapshot's folder, as a listing shows them.

    :ivar manifest: the manifest, a void one too; None: there is none.
    :ivar marks: what says that it is void: a void manifest, ``void.json``.
    :ivar others: everything else: the tables, and a manifest that ``void.json`` made void.
    """

    def __init__(self, name: SnapshotName) -> None:
        self.name = name
        self.manifest: BlobInfo | None = None
        self.marks: list[BlobInfo] = []
        self._rest: list[BlobInfo] = []

    def add(self, info: BlobInfo) -> None:
        """Take a blob of the folder."""
        if info.name == self.name.manifest:
            self.manifest = info
        if info.name == self.name.void or (info.name == self.name.manifest and is_void_manifest(info)):
            self.marks.append(info)
        else:
            self._rest.append(info)

    @property
    def committed(self) -> bool:
        """Is it a snapshot?"""
        return self.manifest is not None and not self.marks

    @property
    def others(self) -> list[BlobInfo]:
        """All but the marks. The manifest first: without it nothing refers to the rest."""
        return sorted(self._rest, key=lambda info: info.name != self.name.manifest)


def is_void_manifest(info: BlobInfo) -> bool:
    """Whether a blob under the name of a manifest is a void one."""
    return (info.size, info.md5) == (len(VOID_MANIFEST), _MD5)


async def read_folders(store: BlobStore, prefix: str) -> dict[SnapshotName, Folder]:
    """The folders of snapshots under a prefix, committed or not."""
    found: dict[SnapshotName, Folder] = {}
    async for name, info in _blobs(store, prefix):
        if name not in found:
            found[name] = Folder(name)
        found[name].add(info)
    return found


async def committed_names(store: BlobStore, prefix: str) -> list[SnapshotName]:
    """The committed snapshots under a prefix. Of other folders nothing is kept in memory but a name."""
    seen: dict[SnapshotName, Folder] = {}
    async for name, info in _blobs(store, prefix):
        if info.name in (name.manifest, name.void):
            seen.setdefault(name, Folder(name)).add(info)
    return [name for name, folder in seen.items() if folder.committed]


async def _blobs(store: BlobStore, prefix: str) -> AsyncIterator[tuple[SnapshotName, BlobInfo]]:
    async for info in store.list(prefix):
        name = parse_snapshot(info.name)
        if name is not None:
            yield name, info


async def void_uncommitted(store: BlobStore, source: Source, guard: Guard) -> int:
    """Take the name of the manifest in every folder that has none.

    Called by whoever is about to delete, under the lock, before it looks at what is referred to: a run that was frozen
    right before its commit finds the name taken. Where the manifest came first, it is read like any other afterwards.

    :param guard: asked before each write.
    :return: how many folders are void now and were not before.
    """
    made = 0
    for folder in (await read_folders(store, snapshots_prefix(source))).values():
        if folder.manifest is None and not folder.marks:
            made += await store.put(folder.name.manifest, VOID_MANIFEST, content_type=_JSON, guard=guard)
    return made


async def write_void_record(store: BlobStore, name: SnapshotName, *, when: str, run: str, reason: str) -> None:
    """Say that a manifest that was written does not count.

    :param when: an instant.
    :param run: which wrote the manifest.
    :param reason: a sentence.
    """
    record = {"void": reason, "when": when, "run": run}
    await store.put(name.void, json.dumps(record, indent=2).encode(), content_type=_JSON)
