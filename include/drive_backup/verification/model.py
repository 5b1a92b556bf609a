"""What verification looks at, and what it finds."""

from __future__ import annotations

from typing import Literal

from include.drive_backup.damage import Loss
from include.drive_backup.model import Struct

#: ``missing`` there is no such blob; ``length``, ``md5`` it has another length or Content-MD5; ``bytes`` it holds other
#: bytes than it should; ``rows`` the manifest's numbers are not those of the rows; ``digest`` the rows are not those of
#: the manifest's digest; ``other-item`` a row refers to another item's content; ``metadata`` the blob that a row refers
#: to says another format, size or SHA-256 of itself; ``unreadable`` no manifest or catalogue can be read.
Wrong = Literal["missing", "length", "md5", "bytes", "rows", "digest", "other-item", "metadata", "unreadable"]
Depth = Literal["listing", "sample", "all"]


class Reference(Struct, frozen=True):
    """One content of one item, as a catalogue has it. ``size`` is in bytes, checksums are hex."""

    blob: str
    format: str
    size: int
    md5: str
    sha256: str
    item_id: str
    path: str
    mime_type: str | None = None
    checked: str | None = None


_REPAIR = "`drive-backup repair {source}` puts it back where the storage account keeps it."
_OF_BYTES = frozenset({"missing", "length", "md5", "bytes"})
#: A backup takes what a listing shows, and what is on record: it does not read what is stored.
_AGAIN = (
    "If Drive still has it, the next backup copies it again; what only reading shows has to be on record for that "
    "(`verify --record`)."
)


class Damage(Struct, frozen=True):
    """One blob that is not what snapshots say, with the item that it is of; none for a manifest or a whole catalogue.

    :param size: what the catalogue says of the content, as ``sha256``, ``md5``, ``mime_type`` and ``checked``.
    :param snapshots: the ids of those that refer to it, newest first; of a manifest or catalogue, the one it is of.
    :param modified: Last-Modified of what is there now, as an instant; None when nothing is.
    :param record: names its record, which is there when it is ``known``.
    :param seen: when it was looked at, by the service's clock, as an instant.
    :param lost: of a missing one that is on record, the record's loss.
    :param current: a snapshot that readers take now refers to it.
    :param known: an earlier verification told of it already.
    :param replaced: the newest snapshot that holds the item whole.
    :param saved: that snapshot holds these very bytes, in another blob.
    """

    source: str
    blob: str
    wrong: Wrong
    message: str
    item_id: str | None = None
    path: str | None = None
    format: str | None = None
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    mime_type: str | None = None
    checked: str | None = None
    snapshots: tuple[str, ...] = ()
    modified: str | None = None
    record: str = ""
    seen: str = ""
    lost: Loss | None = None
    current: bool = False
    known: bool = False
    replaced: str | None = None
    saved: bool = False

    @property
    def alarming(self) -> bool:
        """Whether it has to fail a run: it is new, or it is in what would be restored today."""
        return self.current or not self.known

    def __str__(self) -> str:
        what = self._what()
        shown = ", ".join(self.snapshots[:3]) + (f" and {len(self.snapshots) - 3} more" if self.snapshots[3:] else "")
        return f"{what}{self.message} In {shown}.{self._remedy()}"

    def _what(self) -> str:
        """What begins the sentence, unless the message names it."""
        if self.item_id:
            return f"{self.path} ({self.item_id}" + (f", {self.format}): " if self.format != "original" else "): ")
        return "" if self.blob in self.message else f"{self.blob}: "

    def _remedy(self) -> str:
        if self.replaced and self.saved:
            return f" {self.replaced} holds the same bytes in another blob."
        if self.replaced:
            return f" {self.replaced} holds the item as it was then."
        if self.wrong not in _OF_BYTES or self.blob.endswith("/manifest.json"):
            return ""
        repair = f" {_REPAIR.format(source=self.source)}"
        return f"{repair} {_AGAIN}" if self.current and self.item_id else repair


class Checked(Struct, frozen=True):
    """How much of a source was held against the listing, and what was found.

    :param returned: names records of what was lost and is there again.
    :param erased: items that a person erased, counted in each snapshot; from so many snapshots: ``erased_from``.
    """

    source: str
    snapshots: int = 0
    erased: int = 0
    erased_from: int = 0
    references: int = 0
    blobs: int = 0
    bytes: int = 0
    damages: tuple[Damage, ...] = ()
    returned: tuple[str, ...] = ()


class ReadAgain(Struct, frozen=True):
    """How much was read again, and what was found. ``archived`` blobs cannot be read before they are rehydrated.

    :param unread: how many could not be read: nobody knows what they hold. ``why_unread`` is a sentence for the first.
    """

    blobs: int = 0
    bytes: int = 0
    archived: int = 0
    unread: int = 0
    why_unread: tuple[str, ...] = ()
    damages: tuple[Damage, ...] = ()
