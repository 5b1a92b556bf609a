"""Names for what is restored: Drive's own wherever the destination can hold them, unique in their folder. Pure.

Two Drive names may be one name to a file system that ignores case or composition of letters; an export gets its
extension, and may then be called like its neighbour. Whatever comes second carries its Drive id, and so does what is
called like the folders that the backup itself adds, ``~orphans`` and ``~trash``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from include.drive_backup.blob.names import ORPHANS, TRASH, encode_segment
from include.drive_backup.restore.folding import folded
from include.drive_backup.restore.placing import is_temporary
from include.drive_backup.restore.portable import portable
from include.drive_backup.restore.selection import Entry

#: Bytes of a name, on the file systems of Linux and macOS.
MAX_BYTES = 255
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}\Z")

#: A name for each path and format of an entry; folders and what has no content have the format ``""``.
Names = dict[tuple[str, str], tuple[str, ...]]
#: Makes of a name and an ending, which is never shortened, one name that the destination can hold.
Safe = Callable[[str, str], str]


def local_names(entries: Iterable[Entry], safe: Safe | None = None) -> Names:
    """Name everything for a local folder; see :func:`names_of`.

    :param safe: :func:`safe_name`, or :func:`portable_name` where the file system holds fewer names.
    """
    return names_of(entries, safe or safe_name)


def names_of(entries: Iterable[Entry], safe: Safe) -> Names:
    """Name everything.

    :param entries: folders before what they hold.
    :return: the names from the target folder down to the file, by catalogue path and format.
    """
    names: Names = {}
    # Whatever is restored: a part of a snapshot, and the rest of it later, go into one folder.
    taken: dict[tuple[str, ...], set[str]] = {(): {folded(ours) for ours in (ORPHANS, TRASH)}}
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
        if folded(name) not in taken:
            taken.add(folded(name))
            return name
    raise AssertionError("unreachable: the candidates never end")


def _candidates(entry: Entry, content_format: str, safe: Safe) -> Iterator[str]:
    extension = "" if content_format in ("", "original") else f".{content_format}"
    name = entry.name.removesuffix(extension) if extension else entry.name
    if not extension and entry.kind != "folder":
        name, extension = _split(name)
    if not entry.later:
        # A part of a snapshot must not take the name that another item has in the whole of it.
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
    whole = _cut(name, ending) + ending
    # Files of such a name count as not finished, and are deleted when their restore has died.
    return f"%2E{whole[1:]}" if is_temporary(whole) else whole


def portable_name(name: str, ending: str = "") -> str:
    """As :func:`safe_name`, for file systems that hold only what Windows does."""
    whole = portable(safe_name(name, ending))
    cut = _cut(whole.removesuffix(ending), ending)
    # What was in the middle may be at the end now, where a dot or a blank cannot be.
    return portable(cut + ending if ending else cut.rstrip(" .") or "%20")


def _cut(name: str, ending: str) -> str:
    return name.encode()[: MAX_BYTES - len(ending.encode())].decode("utf-8", "ignore")


def _impossible(name: str) -> bool:
    if name in (".", "..") or "/" in name or "\0" in name:
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
