"""One order on its way from Drive to Blob."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from include.drive_backup.blob.names import content_blob, content_id, extension_of, parse_content
from include.drive_backup.errors import BrokenBodyError
from include.drive_backup.model import Checked, CopyOrder, CopyResult, Fidelity, Item
from include.drive_backup.transfer.ranges import suits


class Job:
    """One order on its way: it follows the item when that changes."""

    def __init__(self, order: CopyOrder) -> None:
        self.order = order
        self.downloaded = 0
        self._resource: dict[str, Any] | None = None
        self._digests: set[str] = set()
        self.one_stream = False
        self.checked: Checked = "nothing"
        #: when the bytes that come are read
        self.began: datetime | None = None

    @property
    def size(self) -> int | None:
        """Bytes to come, if that is known: a document's size is not that of its export."""
        return self.order.item.size if self.order.item.kind == "file" else None

    @property
    def in_ranges(self) -> bool:
        """Whether to read the item in ranges."""
        return suits(self.order.item) and not self.one_stream

    def turn_to(self, now: Item) -> None:
        """From here on, copy the item as it is now."""
        name = parse_content(self.order.blob)
        if name is None:
            raise ValueError(f"'{self.order.blob}' is no name of a content blob.")
        content = content_id(now, self.order.format)
        extension = extension_of(now.name, self.order.format)
        self.order = replace(
            self.order,
            item=now,
            blob=content_blob(name.source, name.folders, name.segment, now.modified, content, extension),
            # The listing began after the instant and saw another version, whatever time this one claims.
            fidelity="head-later",
        )
        self._resource = now.resource
        self._digests.clear()

    def broken(self, mismatch: str, sha256: str) -> BrokenBodyError:
        """The error for bytes that are not what Drive says, of an item that did not change."""
        again = sha256 in self._digests
        self._digests.add(sha256)
        name = self.order.item.name
        if again:
            return BrokenBodyError(
                f"Drive gives the same bytes of '{name}' each time, and they do not match what it says of them "
                f"({mismatch}), so they are not stored as good. Files that came from Google Photos can be like that: "
                "upload the file to Drive anew, or exclude it.",
                reason="checksumMismatch",
            )
        return BrokenBodyError(
            f"What Drive gave of '{name}' does not match what it says of it: {mismatch}. The next try reads it again.",
            reason="checksumMismatch",
        )

    def result(self, outcome: Any, **facts: Any) -> CopyResult:
        """The record of what became of the order."""
        fidelity = "unavailable" if outcome == "unavailable" else fidelity_of(self.order)
        return CopyResult(
            item_id=self.order.item.id,
            format=self.order.format,
            outcome=outcome,
            fidelity=fidelity,
            resource=self._resource,
            downloaded=self.downloaded,
            **{"message": self.order.doubt, **facts},
        )


def fidelity_of(order: CopyOrder) -> Fidelity:
    """How true the head of an item is for the instant."""
    return "head-later" if order.doubt else order.fidelity
