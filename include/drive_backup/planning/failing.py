"""What failed in the snapshot before: such content is tried once a run, without the waits of a task's retries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from include.drive_backup.blob.names import content_id
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_rows_having
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import CopyOrder, Item, Series
from include.drive_backup.planning.decide import Decision
from include.drive_backup.planning.places import Places
from include.drive_backup.ports import BlobStore

log = logging.getLogger(__name__)

#: The columns that tell which content failed, and since when.
_COLUMNS = ["item_id", "mime_type", "size", "modified", "md5", "sha256", "head_revision_id", "drive_version"]
_COLUMNS += ["reason", "contents", "failed_since"]
# Formats that no content has: of the item's content in whatever format, and of the item whatever its content.
_ANY_FORMAT = "*"
_ANY_CONTENT = "**"


class Failing:
    """Content that was tried and failed, by the 64 bits of its id: there may be as many as items."""

    def __init__(self) -> None:
        self._since: list[datetime] = []
        self._failed = Places()
        self._stored = Places()

    def add(self, values: Mapping[str, Any]) -> None:
        """Take in a row of the catalogue that has ``failed_since``."""
        item = _item(values)
        if not self._since or self._since[-1] != values["failed_since"]:
            self._since.append(values["failed_since"])
        # A file that is written all the time has other content each night, and fails each night for that very reason.
        changing = values["reason"] == "changedWhileReading"
        key = _changing(item) if changing else _key(item, _ANY_FORMAT)
        self._failed.add(key, len(self._since) - 1)
        for content in values["contents"] or ():
            self._stored.add(_key(item, content["format"]), 0)

    def mark(self, decision: Decision) -> Decision:
        """The decision, with the orders marked that failed before for the same content."""
        since = self._since_when(decision.row.item) if decision.orders else None
        if since is None:
            return decision
        orders = tuple(replace(order, failing=self._has_failed(order)) for order in decision.orders)
        return Decision(row=replace(decision.row, failed_since=since), orders=orders)

    def _since_when(self, item: Item) -> datetime | None:
        for key in (_key(item, _ANY_FORMAT), _changing(item)):
            for place in self._failed.of(key):
                return self._since[place]
        return None

    def _has_failed(self, order: CopyOrder) -> bool:
        """Of an item that failed: not the formats of which the content was stored."""
        return next(self._stored.of(_key(order.item, order.format)), None) is None


async def load_failing(store: BlobStore, series: Series, instant: str) -> Failing:
    """What failed in the latest snapshot of a series before an instant. One that cannot be read only costs retries."""
    failing = Failing()
    manifest = await SnapshotRepository(store).last_try(series, instant)
    if manifest is not None and manifest.counts.get("failed"):
        try:
            await _read(store, manifest, failing)
        except CorruptStoreError as error:
            log.warning("%s: what failed before cannot be read, so it is tried like new content. %s", series, error)
    return failing


async def _read(store: BlobStore, manifest: Manifest, failing: Failing) -> None:
    async for values in read_rows_having(store, manifest, _COLUMNS, "failed_since"):
        failing.add(values)


def _item(values: Mapping[str, Any]) -> Item:
    """As much of an item as tells its content from another."""
    return Item(
        id=values["item_id"],
        name="",
        mime_type=values["mime_type"],
        size=values["size"],
        modified=values["modified"],
        md5=values["md5"],
        sha256=values["sha256"],
        head_revision_id=values["head_revision_id"],
        version=values["drive_version"],
    )


def _key(item: Item, content_format: str) -> int:
    return int(content_id(item, content_format), 16)


def _changing(item: Item) -> int:
    return _key(Item(id=item.id, name="", mime_type=item.mime_type), _ANY_CONTENT)
