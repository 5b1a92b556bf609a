"""Names for what is restored: Drive's own wherever the destination can hold them, unique in their folder. Pure.

Two Drive names may be one name to a file system that ignores case or composition of letters; an export gets its
extension, and may then be called like its neighbour. Whatever comes second carries its Drive id, and so does what is
called like the folders that the backup itself adds, ``~orphans`` and ``~trash``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from include.drive_backup.blob.names import ORPHANS, TRASH, encode_segment
from include.drive_backup.restore.selection import Entry

#: Bytes of a name, on the file systems of Linux and macOS.
MAX_BYTES = 255
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}\Z")

#: A name for each path and format of an entry; folders and what has no content have the format ``""``.
Names = dict[tuple[str, str], tuple[str, ...]]
#: Makes of a name and an ending, which is never shortened, one name that the destination can hold.
Safe = Callable[[str, str], str]


def local_names(entries: Iterable[Entry]) -> Names:
    """Name everything for a local folder; see :func:`names_of`."""
    return names_of(entries, safe_name)


def names_of(entries: Iterable[Entry], safe: Safe) -> Names:
    """Name everything.

    :param entries: folders before what they hold.
    :return: the names from the target folder down to the file, by catalogue path and format.
    """
    names: Names = {}
    # Whatever is restored: a part of a snapshot, and the rest of it later, go into one folder.
    taken: dict[tuple[str, ...], set[str]] = {(): {_key(ours) for ours in (ORPHANS, TRASH)}}
    for entry in entries:
        folder = _folder(names, entry.folder, safe)
        for content_format in entry.formats or ("",):
            name = _free(entry, content_format, taken.setdefault(folder, set()), safe)
            names[entry.path, content_format] = (*folder, name)
    return names


def numbered(name: str, safe: Safe) -> Iterator[str]:
    """``name (2).txt``, ``name (3).txt`` …: names beside one that is taken."""
    stem, extension = _split(name)
    for number in count(2):
        yield safe(stem, f" ({number}){extension}")


def _split(name: str) -> tuple[str, str]:
    match = _EXTENSION.search(name)
    return (name[: match.start()], match[0]) if match else (name, "")


def _folder(names: Names, path: str, safe: Safe) -> tuple[str, ...]:
    if not path:
        return ()
    if (path, "") not in names:
        # Not an item of its own, e.g. the folder for items without a parent.
        above, _, segment = path.rpartition("/")
        names[path, ""] = (*_folder(names, above, safe), safe(segment, ""))
    return names[path, ""]


def _free(entry: Entry, content_format: str, taken: set[str], safe: Safe) -> str:
    for name in _candidates(entry, content_format, safe):
        if _key(name) not in taken:
            taken.add(_key(name))
            return name
    raise AssertionError("unreachable: the candidates never end")


def _key(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _candidates(entry: Entry, content_format: str, safe: Safe) -> Iterator[str]:
    extension = "" if content_format in ("", "original") else f".{content_format}"
    name = entry.name.removesuffix(extension) if extension else entry.name
    if not extension and entry.kind != "folder":
        name, extension = _split(name)
    yield safe(name, extension)
    yield safe(name, f" ({_plain(entry.item_id)}){extension}")
    for number in count(2):
        yield safe(name, f" ({_plain(entry.item_id)} {number}){extension}")


def _plain(item_id: str) -> str:
    return encode_segment(item_id)[:100]


def safe_name(name: str, ending: str = "") -> str:
    """The name itself if a file system can hold it, else its encoded form; shortened to what a file system allows.

    :param ending: is never shortened: an extension, or an id.
    """
    if _impossible(name + ending) or (not name and not ending):
        name = encode_segment(name)
    room = MAX_BYTES - len(ending.encode())
    return name.encode()[:room].decode("utf-8", "ignore") + ending


def _impossible(name: str) -> bool:
    if name in (".", "..") or "/" in name or "\0" in name:
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
