"""What is to be erased of one source, and what was."""

from __future__ import annotations

from include.drive_backup.model import Struct
from include.drive_backup.retention.amount import Amount


class Who(Struct, frozen=True):
    """Who erases, and why; both go into the record.

    :param by: a person or a case, in words that can be printed.
    """

    by: str
    reason: str = ""


class Found(Struct, frozen=True):
    """One snapshot that has something of it.

    :param key: ``<series>/<id>``.
    :param items: rows of the catalogue that go.
    :param left: rows of what left that go.
    :param kept_by: tags of holds and readers, because of which it stays as it is.
    """

    key: str
    items: int = 0
    left: int = 0
    kept_by: tuple[str, ...] = ()


class Shared(Struct, frozen=True):
    """Content that stays, since other items have the same bytes.

    :param items: ids of some of these.
    """

    blob: str
    items: tuple[str, ...]


class ErasePlan(Struct, frozen=True):
    """What would be erased of one source.

    :param item: the id of an item; None: all of the source.
    :param snapshots: that have something of it, newest first.
    :param unreadable: why some snapshots cannot be read, by key: nobody knows whether they have the item.
    :param content: that goes. ``shared``: that stays for the sake of other items.
    :param blocked: why no content can go.
    :param work: the work areas of the source's runs; they go, so the next run lists everything. Of an item: if one of
        them names it.
    :param parts: of snapshots that were never committed, or that an erasure which was broken off left behind. They go
        without a look into them.
    :param paths: where the item is or was.
    :param relying: snapshots of other sources that need those of this one.
    :param is_root: the item is the folder that the source starts at, so it has no row.
    :param unfinished: one of the parts of no snapshot names the item, or cannot be read.
    :param unknown: ids of some rows of what left that may have been in the folder, by the key of the snapshot: the
        snapshot before it is gone, and so is the path that the folder had there. They stay.
    """

    source: str
    item: str | None = None
    snapshots: tuple[Found, ...] = ()
    unreadable: dict[str, str] = {}
    content: Amount = Amount()
    shared: tuple[Shared, ...] = ()
    blocked: str | None = None
    work: Amount = Amount()
    parts: Amount = Amount()
    records: Amount = Amount()
    relying: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    is_root: bool = False
    unfinished: bool = False
    unknown: dict[str, tuple[str, ...]] = {}

    @property
    def empty(self) -> bool:
        """Is there nothing to erase?"""
        parts = self.unfinished if self.item is not None else bool(self.parts.blobs)
        blobs = self.content.blobs or self.records.blobs or self.work.blobs
        return not (self.snapshots or self.relying or parts or blobs)


class Erasure(Struct, frozen=True):
    """What was erased of one source.

    :param record: the folder in the container that says so.
    :param snapshots: deleted, or for an item rewritten without it.
    :param kept: snapshots that stay as they were, by key: they are held or read.
    :param refused: for each blob that Blob Storage would not delete or replace, why.
    :param earlier: blobs of which the storage account still keeps deleted or older states, of those looked at.
    :param unknown: ids of some rows of what left that may have been in the folder, by the key of the snapshot: the
        snapshot before it is gone, and so is the path that the folder had there. They stay.
    """

    source: str
    item: str | None
    record: str
    snapshots: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unreadable: dict[str, str] = {}
    refused: tuple[str, ...] = ()
    content: Amount = Amount()
    shared: tuple[Shared, ...] = ()
    blocked: str | None = None
    parts: Amount = Amount()
    work: Amount = Amount()
    records: Amount = Amount()
    earlier: tuple[str, ...] = ()
    unknown: dict[str, tuple[str, ...]] = {}

    @property
    def whole(self) -> bool:
        """Was all of it erased that is not another item's, too?"""
        return not (self.kept or self.unreadable or self.refused or self.blocked or self.unknown)
