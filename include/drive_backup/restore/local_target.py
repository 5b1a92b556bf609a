"""A local folder to restore into: what its file system can do, names that it can hold, and whether there is room."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from include.drive_backup.errors import PermanentError
from include.drive_backup.model import human_bytes
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import Names, local_names, portable_name, safe_name
from include.drive_backup.restore.orders import Conflict
from include.drive_backup.restore.placing import probe
from include.drive_backup.restore.selection import Entry

_NO_ROOM = (
    "{root} has {free} of free space, and {needed} are to be written there. Make room, name a folder of another disk, "
    "or restore in parts with --path."
)


def open_local(root: Path, wanted: Mapping[str, Entry], store: BlobStore, conflict: Conflict = "copy") -> LocalFolder:
    """Prepare a folder for a restore; made if it is not there. Nothing of the backup is read.

    :param wanted: from :func:`.selection.select`.
    :raises PermanentError: it cannot be used, or has too little room.
    """
    ground = probe(root)
    names = local_names(wanted.values(), safe_name if ground.any_name else portable_name)
    _check_room(root, wanted, names)
    return LocalFolder(root, names, store, conflict, ground)


def _check_room(root: Path, wanted: Mapping[str, Entry], names: Names) -> None:
    total, _, free = shutil.disk_usage(root)
    needed = sum(entry.size for entry in wanted.values() if entry.size and not _is_there(root, entry, names))
    # Some network drives do not know their size, and say nothing, or zero.
    if total > 0 and needed > free:
        said = _NO_ROOM.format(root=root, free=human_bytes(free), needed=human_bytes(needed))
        raise PermanentError(said, reason="localFolder")


def _is_there(root: Path, entry: Entry, names: Names) -> bool:
    """Whether files of an item's names and size are there: then they are most likely the same, and need no room."""
    try:
        places = [root.joinpath(*names[entry.path, each]) for each in entry.formats]
        return sum(place.lstat().st_size for place in places) == entry.size
    except OSError:
        return False
