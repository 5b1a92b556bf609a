"""Records of damaged blobs, in the container: verification writes them, planning and commits heed them.

A damaged blob keeps its name, since nothing is ever overwritten. Its record makes the next plan store the same content
again under a name of its own. A record speaks of one state of one blob, and its name says it all, so that a listing
is enough:

    damaged/<source>/<content id>-<hash of the blob's name>-<Last-Modified of the blob, or missing>.json

The body says the same for people. docs/format.md has the format.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from include.drive_backup.blob.names import damaged_prefix, parse_content
from include.drive_backup.model import Source, format_instant
from include.drive_backup.ports import BlobStore

MISSING = "missing"
#: Stands for the content id of what is no content: manifests and catalogues.
_NO_CONTENT = "snapshot"


class Damaged:
    """The records of one source."""

    def __init__(self) -> None:
        #: Content ids of blobs that are there and hold the wrong bytes.
        self.content_ids: set[str] = set()
        self._wrong: set[str] = set()
        self._records: set[str] = set()

    def add(self, record: str) -> None:
        """Take the name of a record; anything else is passed over."""
        stem = record.rpartition("/")[2].removesuffix(".json")
        parts = stem.split("-")
        if len(parts) != 3:
            return
        self._records.add(stem)
        if parts[2] != MISSING:
            self._wrong.add(parts[1])
            self.content_ids.add(parts[0])

    def holds(self, blob: str) -> bool:
        """Whether a blob that may be there is known to hold the wrong bytes."""
        return bool(self._wrong) and _hash(blob) in self._wrong

    def knows(self, blob: str, modified: datetime | None) -> bool:
        """Whether this state of a blob (None: it is missing) was told of before."""
        return _stem(blob, modified) in self._records


async def load_damaged(store: BlobStore, source: Source) -> Damaged:
    """List the records of a source."""
    damaged = Damaged()
    async for info in store.list(damaged_prefix(source)):
        damaged.add(info.name)
    return damaged


def record_name(source: Source, blob: str, modified: datetime | None) -> str:
    """The name of the record of one state of a blob.

    :param modified: the blob's Last-Modified; None: it is missing.
    """
    return f"{damaged_prefix(source)}{_stem(blob, modified)}.json"


def _stem(blob: str, modified: datetime | None) -> str:
    name = parse_content(blob)
    ident = _NO_CONTENT if name is None else name.content_id
    return f"{ident}-{_hash(blob)}-{MISSING if modified is None else format_instant(modified)}"


def _hash(blob: str) -> str:
    return hashlib.sha256(blob.encode()).hexdigest()[:32]
