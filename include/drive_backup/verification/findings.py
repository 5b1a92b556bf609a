"""Words for what is found, and whether an earlier verification found it, too."""

from __future__ import annotations

from typing import Any

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.damage import Damaged, found_stem, load_damaged, loss_stem, state_stem
from include.drive_backup.model import Source, format_instant
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.verification.model import Damage, Reference, Wrong

#: What damage says of a content.
_CONTENT = ("item_id", "path", "format", "size", "sha256", "md5", "mime_type", "checked")


class Findings:
    """What one look at one source finds.

    :param records: of what earlier looks found. One that finds damage looks here before it is recorded.
    :param seen: when the look began, by the service's clock, as an instant.
    """

    def __init__(self, source: Source, records: Damaged, seen: str) -> None:
        self.records = records
        self.seen = seen
        self.damages: list[Damage] = []
        self.returned: dict[str, None] = {}
        self._source = source

    def content(self, reference: Reference, wrong: Wrong, message: str, found: BlobInfo | None) -> None:
        """A content is not as it should be.

        :param found: what has the blob's name now.
        """
        item = {name: getattr(reference, name) for name in _CONTENT}
        self._add(reference.blob, wrong, message, found, lost=reference.sha256, **item)

    def part(
        self,
        name: SnapshotName,
        blob: str,
        wrong: Wrong,
        message: str,
        found: BlobInfo | None,
        of: str = "",
        **item: Any,
    ) -> None:
        """A manifest or a part of a catalogue is not as it should be.

        :param of: what is damaged in it, so that something else is news.
        :param item: the fields of :class:`.Damage` about an item, if it is about one.
        """
        self._add(blob, wrong, message, found, of=of, snapshots=(name.key,), **item)

    def there(self, blob: str, of: str = "") -> None:
        """Something is there as it was written: if it was lost before, that is over."""
        loss = self.records.open_loss(blob, of)
        if loss is not None:
            self.returned[found_stem(blob, of, loss)] = None

    def _add(
        self,
        blob: str,
        wrong: Wrong,
        message: str,
        found: BlobInfo | None,
        *,
        of: str = "",
        lost: str = "",
        **facts: Any,
    ) -> None:
        loss = None if found else self.records.open_loss(blob, lost)
        if found is not None:
            record = state_stem(found, of)
        else:
            record = loss_stem(blob, lost, loss or self.records.next_loss(blob, lost, self.seen))
        self.damages.append(
            Damage(
                source=str(self._source),
                blob=blob,
                wrong="missing" if found is None else wrong,
                message=message,
                modified=_modified(found),
                known=self.records.knows(record) if found else loss is not None,
                record=record,
                seen=self.seen,
                lost=loss,
                **facts,
            )
        )


async def begin(store: BlobStore, source: Source) -> Findings:
    """Begin to look: the records, and the time, come before what is looked at."""
    seen = format_instant(await store.now())
    return Findings(source, await load_damaged(store, source), seen)


def _modified(found: BlobInfo | None) -> str | None:
    return format_instant(found.modified) if found is not None and found.modified is not None else None
