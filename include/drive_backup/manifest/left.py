"""The table of what the snapshot before had and this one has not."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from include.drive_backup.blob.names import SnapshotName, parse_snapshot
from include.drive_backup.handover import PlanRef
from include.drive_backup.left.whereabouts import LeftRow, left_prefix
from include.drive_backup.manifest.catalogue import TableWriter
from include.drive_backup.manifest.manifest import Left
from include.drive_backup.manifest.schema import text
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import read_parts

log = logging.getLogger(__name__)

#: The states in the order in which people are told of them, and in words.
STATES = {
    "trashed": "trashed",
    "deleted": "deleted",
    "access_lost": "no longer visible to this account",
    "moved": "moved away",
    "gone": "deleted or no longer visible",
    "left_out": "no longer selected",
    "not_listed": "not in Drive's incomplete listing",
}


class LeftTable:
    """Writes the table of one snapshot. Feed :meth:`has` every item that the snapshot has, then :meth:`write`."""

    def __init__(self, store: BlobStore, plan: PlanRef) -> None:
        self._store = store
        self._plan = plan
        self._ids: set[str] = set()

    async def load(self) -> None:
        """Read what the plan says that left: the ids alone."""
        async for row in self._rows():
            self._ids.add(row.item_id)

    def has(self, item_id: str) -> None:
        """Take note of an item that is there."""
        self._ids.discard(item_id)

    async def write(self, name: SnapshotName) -> Left | None:
        """Write the table.

        :return: None when there is no snapshot before, or it cannot be read.
        :raises NameTakenError: a part exists already.
        """
        left = self._plan.left
        base = parse_snapshot(left.base) if left else None
        if left is None or base is None:
            return None
        writer, counts = TableWriter(self._store, "left", name.left), Counter[str]()
        async for row in self._rows():
            if row.item_id in self._ids:
                counts[row.state] += 1
                await writer.write(_record(row, base.ident))
        await writer.close()
        if counts:
            log.info("%s: left since %s: %s", name.source, base.ident, in_words(counts))
        return Left(base=left.base, digest=writer.digest, counts=dict(counts), parts=tuple(writer.parts))

    def _rows(self) -> AsyncIterator[LeftRow]:
        parts = self._plan.left.parts if self._plan.left else 0
        return read_parts(self._store, left_prefix(self._plan.plan), LeftRow, parts=parts)


def in_words(counts: Mapping[str, int]) -> str:
    """``12 trashed, 3 deleted``."""
    return ", ".join(f"{counts[state]:,} {words}" for state, words in STATES.items() if counts.get(state))


def _record(row: LeftRow, last: str) -> dict[str, object]:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    message = None if row.message is None else text(row.message)
    return {**values, "last_snapshot": last, "message": message}
