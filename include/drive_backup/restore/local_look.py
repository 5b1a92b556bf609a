"""What has a name in a local folder, and whether it is another item of the same restore."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

from include.drive_backup.model import StoredContent, Struct
from include.drive_backup.restore.open_folder import OpenFolder

State = Literal["nothing", "same", "other", "no file"]


class Found(Struct, frozen=True):
    """What has a name.

    :param state: ``same``: a file with the bytes; ``other``: one with other bytes; ``no file``: a folder, a link ….
    :param identity: device, number, length and both times of change (one of them can be set): equal as long as nobody
        changed it.
    """

    state: State
    identity: tuple[int, int, int, int, int] | None = None


def look(folder: OpenFolder, name: str, content: StoredContent | None) -> Found:
    """What has a name now.

    :param content: what is to be there; None: any file is an ``other`` one.
    """
    found = folder.look(name)
    if found is None:
        return Found(state="nothing")
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if not stat.S_ISREG(found.st_mode):
        return Found(state="no file", identity=identity)
    equal = content is not None and found.st_size == content.size
    same = equal and content is not None and folder.digest(name) == (content.size, content.sha256)
    return Found(state="same" if same else "other", identity=identity)


class Claims:
    """Which file stands for which item of this restore.

    Names that this program takes for two may be one to a file system. Then the second item finds the file of the first.

    :param root: the folder that is restored into.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[tuple[int, int], tuple[str, ...]] = {}

    def take(self, found: Found, place: tuple[str, ...]) -> None:
        """Note that a file is that of one item."""
        if found.identity is not None and found.identity[1]:
            self._places[found.identity[:2]] = place

    def another(self, found: Found, place: tuple[str, ...]) -> bool:
        """Whether what was found is the file of another item."""
        if found.identity is None:
            return False
        other = self._places.get(found.identity[:2], place)
        if other == place:
            return False
        try:
            # Some file systems give the number of a file to another one later.
            now = self._root.joinpath(*other).lstat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == found.identity[:2]
