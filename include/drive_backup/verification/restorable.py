"""Can a source be restored now, and from which snapshot? By its manifests, the newest catalogue, and one listing."""

from __future__ import annotations

from collections.abc import Set  # noqa: PYI025 - the abstract one
from dataclasses import dataclass, field

from include.drive_backup.blob.names import SnapshotName, snapshots_prefix
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.manifest.catalogue import lost_part, read_rows_there_are, sizes_of
from include.drive_backup.manifest.found import Unreadable
from include.drive_backup.manifest.inventory import fingerprint, load_sound
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import BlobStore

_NAMED = 3


@dataclass
class Condition:
    """What of a snapshot cannot be restored.

    :ivar unread: why parts of its catalogue cannot be read, as sentences.
    :ivar items: how many have content, as far as the catalogue can be read.
    :ivar lost: how many of these have content that is not there, or is known to be damaged.
    :ivar examples: the paths of the first of these.
    """

    unread: list[str] = field(default_factory=list)
    items: int = 0
    lost: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether all of it can be restored."""
        return not self.unread and not self.lost


@dataclass
class Restorable:
    """What the snapshots of a series are good for.

    :ivar newest: the newest complete one whose manifest can be read.
    :ivar condition: of that one.
    :ivar whole: the newest complete one of which all is there.
    :ivar best: the newest complete one whose catalogue can be read, and its condition.
    :ivar partial: the ids of those newer than ``newest`` that are not complete, newest first.
    :ivar newer: those that cannot be read, newer than ``newest``.
    :ivar older: those that cannot be read, older than ``newest``.
    """

    newest: Manifest | None = None
    condition: Condition = field(default_factory=Condition)
    whole: SnapshotName | None = None
    best: tuple[SnapshotName, Condition] | None = None
    partial: list[str] = field(default_factory=list)
    newer: list[Unreadable] = field(default_factory=list)
    older: list[Unreadable] = field(default_factory=list)


async def look_at(store: BlobStore, series: Series) -> Restorable:
    """Look at all manifests of a series, newest first, and into catalogues until one is of a snapshot that is whole."""
    repository, found = SnapshotRepository(store), Restorable()
    sound, there = await load_sound(store, series.source), await sizes_of(store, snapshots_prefix(series))
    for name in reversed(await repository.names(series)):
        try:
            manifest = await repository.read(name)
        except UNREADABLE as error:
            (found.older if found.newest else found.newer).append(Unreadable(name, str(error)))
            continue
        lost = lost_part(manifest, there) if manifest is not None else None
        if lost is not None and found.newest is not None:
            found.older.append(Unreadable(name, lost))
        elif manifest is not None:
            await _take(store, found, manifest, sound)
    return found


async def _take(store: BlobStore, found: Restorable, manifest: Manifest, sound: Set[bytes]) -> None:
    if manifest.status != "complete":
        if found.newest is None:
            found.partial.append(manifest.name.ident)
        return
    if found.whole is not None:
        return
    condition = await condition_of(store, manifest, sound)
    if found.newest is None:
        found.newest, found.condition = manifest, condition
    if found.best is None and not condition.unread:
        found.best = manifest.name, condition
    if condition.whole:
        found.whole = manifest.name


async def condition_of(store: BlobStore, manifest: Manifest, sound: Set[bytes]) -> Condition:
    """What of a snapshot cannot be restored.

    :param sound: fingerprints of the content in the container, from :func:`.inventory.load_sound`.
    """
    condition = Condition()
    async for row in read_rows_there_are(store, manifest, ["path", "contents"], condition.unread.append):
        contents = row["contents"] or ()
        condition.items += bool(contents)
        if any(fingerprint(each["blob"], each["size"], each["md5"]) not in sound for each in contents):
            condition.lost += 1
            condition.examples += [shown_path(row["path"])] if len(condition.examples) < _NAMED else []
    return condition
