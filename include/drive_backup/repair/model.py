"""What a repair finds and does."""

from __future__ import annotations

from typing import Literal

from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobInfo, Earlier
from include.drive_backup.verification.model import Damage

#: ``copy``      a version, a snapshot or another blob was read and has the right bytes: they are written under the
#:               blob's name
#: ``undelete``  a deleted one has the right length and MD5: it is brought back, and only then it can be read
#: ``none``      nothing that can be read is it
How = Literal["copy", "undelete", "none"]


class Remedy(Struct, frozen=True):
    """What can be done about one damaged blob.

    :param of: the damage that it mends; all of them are of this blob.
    :param size: bytes that it should have; None when nobody knows.
    :param sha256: of these bytes, hex; None when nobody knows.
    :param found: what has the blob's name now; a repair writes over nothing else.
    :param earlier: what has the bytes: an older state of the blob, or another blob.
    :param properties: content type, metadata and tier of what is written; None: those of ``earlier``.
    :param why: of ``none``, a sentence.
    :param unread: of what might have had the bytes and could not be read, a sentence each.
    """

    blob: str
    of: tuple[Damage, ...]
    how: How
    size: int | None = None
    sha256: str | None = None
    found: BlobInfo | None = None
    earlier: Earlier | None = None
    properties: BlobInfo | None = None
    why: str = ""
    unread: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What people call it."""
        damage = self.of[0]
        return damage.path or self.blob

    @property
    def whence(self) -> str:
        """What people call that which has the bytes."""
        return "" if self.earlier is None else called(self.earlier, self.blob)


def called(candidate: Earlier, blob: str) -> str:
    """What people call something that may have the bytes of a blob."""
    return str(candidate) if candidate.info.name == blob else f"the blob {candidate.info.name}"


class Repaired(Struct, frozen=True):
    """What became of one remedy. ``done``: the blob has the right bytes now; ``why`` says why not."""

    remedy: Remedy
    done: bool
    why: str = ""


class Outcome(Struct, frozen=True):
    """What there is to do, or was done, for one source.

    :param whole: the snapshots that are whole again, newest first.
    :param left: those that still lack something.
    :param unread: of contents that could not be read, and may be damaged, a sentence for the first.
    """

    source: str
    remedies: tuple[Remedy, ...] = ()
    repaired: tuple[Repaired, ...] = ()
    whole: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
