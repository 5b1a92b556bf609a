"""Records of damaged and lost blobs, in the container: verification writes them, planning and commits heed them.

A damaged blob keeps its name, since nothing is ever overwritten. Its record makes the next plan store the same content
again under a name of its own. A record's name says it all, so that a listing is enough:

    damaged/<source>/<content id>-<hash>-<state>.json

A blob that is there is known by its state, its Last-Modified and ETag: written again, it is another one, and sound
until the opposite is known. In a copy of the container all blobs are in other states, and nobody can tell whether one
was written again: it counts as damaged. Records that are younger than the moment in their metadata show such a copy.
What is missing has no state, so its losses are numbered; a record ``found`` closes one:

    damaged/<source>/<content id>-<hash>-missing.<number>.<when it was looked for>.json
    damaged/<source>/<content id>-<hash>-found.<number>.json

The body says the same for people. docs/format.md has the format.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from include.drive_backup.blob.names import damaged_prefix, parse_content
from include.drive_backup.model import Source, Struct, format_instant, is_instant, parse_instant
from include.drive_backup.ports import BlobInfo, BlobStore

_MISSING, _FOUND = "missing", "found"
#: Stands for the content id of what is no content: manifests and catalogues.
_NO_CONTENT = "snapshot"
#: The key of a record's metadata: when verification began to look, by the container's clock.
SEEN = "seen"
#: By then a verification has written what it found.
_WRITTEN_BY = timedelta(days=3)


class Loss(Struct, frozen=True):
    """One loss of one thing. ``seen`` is when it was looked for and not there, by the service's clock."""

    number: int
    seen: str

    def again(self, seen: str) -> Loss:
        """The loss after this one."""
        return Loss(number=self.number + 1, seen=seen)


class Damaged:
    """The records of one source."""

    def __init__(self) -> None:
        self._states: set[str] = set()
        self._copied: set[str] = set()
        self._blobs: set[str] = set()
        self._losses: dict[str, Loss] = {}
        self._found: set[tuple[str, int]] = set()

    def add(self, record: str, *, copied: bool = False) -> None:
        """Take the name of a record; anything else is passed over.

        :param copied: it is not where it was written: the container was copied.
        """
        stem = record.rpartition("/")[2].removesuffix(".json")
        key, _, state = stem.rpartition("-")
        if key.count("-") != 1:
            return
        word, _, rest = state.partition(".")
        number, _, seen = rest.partition(".")
        if word not in (_MISSING, _FOUND):
            self._states.add(stem)
            self._blobs.add(key.partition("-")[2])
            if copied:
                self._copied.add(key.partition("-")[2])
        elif number.isdecimal() and word == _FOUND:
            self._found.add((key, int(number)))
        elif number.isdecimal() and is_instant(seen):
            loss = Loss(number=int(number), seen=seen)
            self._losses[key] = max(loss, self._losses.get(key, loss), key=lambda each: (each.number, each.seen))

    def holds(self, blob: BlobInfo) -> bool:
        """Whether a blob is, as it is now, known to hold the wrong bytes."""
        if self._copied and _hash(blob.name) in self._copied:
            return True
        return bool(self._states) and state_stem(blob) in self._states

    def suspects(self, blob: str) -> bool:
        """Whether a blob of this name ever held the wrong bytes: only reading tells whether it does now."""
        return bool(self._blobs) and _hash(blob) in self._blobs

    def knows(self, stem: str) -> bool:
        """Whether there is a record of this state."""
        return stem in self._states

    def open_loss(self, blob: str, of: str = "") -> Loss | None:
        """The last loss of something that is on record, if nothing on record says that it was there again.

        :param of: see :func:`loss_stem`.
        """
        if not self._losses:
            return None
        key = _key(blob, of)
        loss = self._losses.get(key)
        return None if loss is None or (key, loss.number) in self._found else loss

    def next_loss(self, blob: str, of: str, seen: str) -> Loss:
        """A loss that is not on record yet."""
        return self._losses.get(_key(blob, of), Loss(number=0, seen=seen)).again(seen)


async def load_damaged(store: BlobStore, source: Source) -> Damaged:
    """List the records of a source."""
    damaged = Damaged()
    async for info in store.list(damaged_prefix(source), metadata=True):
        damaged.add(info.name, copied=_is_copy(info))
    return damaged


def _is_copy(record: BlobInfo) -> bool:
    seen = record.metadata.get(SEEN, "")
    return record.modified is not None and is_instant(seen) and record.modified > parse_instant(seen) + _WRITTEN_BY


def record_name(source: Source, stem: str) -> str:
    """The name of a record.

    :param stem: from :func:`state_stem`, :func:`loss_stem` or :func:`found_stem`.
    """
    return f"{damaged_prefix(source)}{stem}.json"


def state_stem(blob: BlobInfo, of: str = "") -> str:
    """What names a blob in the state that it is in.

    :param of: what is damaged in it, where that is not the whole of it.
    """
    modified = "unknown" if blob.modified is None else format_instant(blob.modified)
    tag = "" if blob.etag is None else f".{hashlib.sha256(blob.etag.encode()).hexdigest()[:8]}"
    return f"{_key(blob.name, of)}-{modified}{tag}"


def loss_stem(blob: str, of: str, loss: Loss) -> str:
    """What names a loss.

    :param of: the SHA-256 of a content, since of exports others may be stored under the same name; empty for the rest.
    """
    return f"{_key(blob, of)}-{_MISSING}.{loss.number}.{loss.seen}"


def found_stem(blob: str, of: str, loss: Loss) -> str:
    """What says that something was there again after a loss."""
    return f"{_key(blob, of)}-{_FOUND}.{loss.number}"


def _key(blob: str, of: str) -> str:
    name = parse_content(blob)
    ident = _NO_CONTENT if name is None else name.content_id
    return f"{ident}-{_hash(f'{blob} {of}' if of else blob)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def moment_of(loss: Loss) -> datetime:
    """When it was looked for."""
    return parse_instant(loss.seen)
