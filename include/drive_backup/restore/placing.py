"""How a finished file gets its name, so that it never takes it from a file of somebody else.

A hard link does it in one step. Where a file system has none (exFAT, many network shares, an rclone mount), an empty
place is taken first, which only one process can do; it holds the name of the unfinished file, so that one that is left
by a process that died is known again. On Windows a rename does not take a name away.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from include.drive_backup.errors import PermanentError
from include.drive_backup.model import Struct
from include.drive_backup.restore.open_folder import OpenFolder, hold

#: The name of a file that is not finished. No item is restored under such a name: see :mod:`.naming`.
_TICKET = re.compile(rb"\.drive-backup-[0-9a-f]{16}")
_TICKET_SIZE = len(".drive-backup-") + 16
#: What Windows, exFAT and shares of Windows cannot have in a name.
_HARD_NAME = ' :*?"<>|\\\x01 .'
_LEFT = re.compile(_TICKET.pattern.decode() + f"(?:{re.escape(_HARD_NAME)})?")
_NO_EXCLUSIVE = (
    "{root} cannot be restored into: its file system does not say when a name is taken, so that files of others might "
    "be overwritten. Restore into a folder of another disk, and copy from there."
)

Way = Literal["link", "place", "rename"]


class Ground(Struct, frozen=True):
    """What the file system of a folder can do.

    :param way: how a file gets its name.
    :param any_name: it holds all names that Linux does.
    """

    way: Way = "link"
    any_name: bool = True


def temporary() -> str:
    """The name of a file that is not finished."""
    return f".drive-backup-{secrets.token_hex(8)}"


def is_temporary(name: str) -> bool:
    """Whether a name is one of :func:`temporary`."""
    return _LEFT.fullmatch(name) is not None


def probe(root: Path) -> Ground:
    """Find out what a folder's file system can do, before anything is downloaded.

    :raises PermanentError: nothing can be written there, or not without a danger to others' files.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with OpenFolder.at(root) as folder:
            return Ground(way=_find_way(folder, root), any_name=os.name != "nt" and _holds_any_name(folder))
    except OSError as error:
        why = error.strerror or error
        raise PermanentError(f"The folder {root} cannot be used: {why}. Name another one.") from error


def _find_way(folder: OpenFolder, root: Path) -> Way:
    first, second = temporary(), temporary()
    try:
        descriptor = folder.create(first)
        hold(descriptor)
        os.close(descriptor)
        if os.name == "nt":
            return "rename"
        with suppress(OSError, NotImplementedError, AttributeError):
            folder.link(first, second)
            return "link"
        if not _refuses_twice(folder, first):
            raise PermanentError(_NO_EXCLUSIVE.format(root=root), reason="localFolder")
        return "place"
    finally:
        folder.remove(first)
        folder.remove(second)


def _refuses_twice(folder: OpenFolder, name: str) -> bool:
    try:
        os.close(folder.create(name))
    except FileExistsError:
        return True
    return False


def _holds_any_name(folder: OpenFolder) -> bool:
    name = temporary() + _HARD_NAME
    try:
        os.close(folder.create(name))
    except OSError:
        return False
    try:
        return name in folder.names()
    finally:
        folder.remove(name)


def give_name(folder: OpenFolder, name: str, new: str, way: Way) -> None:
    """Give a finished file its name.

    :raises FileExistsError: something has that name.
    """
    if way == "link":
        folder.link(name, new)
    elif way == "rename":
        folder.rename(name, new)
    else:
        _take_place(folder, name, new)


def _take_place(folder: OpenFolder, name: str, new: str) -> None:
    descriptor = folder.create(new)
    try:
        with os.fdopen(descriptor, "wb") as file:
            hold(file.fileno())
            file.write(name.encode())
        ours = _ticket(folder, new) == name
        if ours:
            folder.replace(name, new)
    except BaseException:
        if _ticket(folder, new) == name:
            folder.remove(new)
        raise
    if not ours:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def sweep(folder: OpenFolder) -> None:
    """Remove what restores that died have left in a folder: unfinished files, and the places that they had taken."""
    names = folder.names()
    left = {name for name in names if is_temporary(name) and folder.is_left_over(name)}
    # A place is known by the unfinished file beside it: its bytes alone might be those of somebody's file.
    places = {name for name in names if _ticket(folder, name) in left} if left else set()
    for name in (*places, *left):
        with suppress(OSError):
            folder.remove(name)


def _ticket(folder: OpenFolder, name: str) -> str | None:
    found = folder.look(name)
    if found is None or found.st_size != _TICKET_SIZE:
        return None
    try:
        with os.fdopen(folder.open(name), "rb") as file:
            data = file.read(_TICKET_SIZE + 1)
    except OSError:
        return None
    return data.decode() if _TICKET.fullmatch(data) else None
