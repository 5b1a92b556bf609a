"""Names in a Blob container: the tree as people know it from Drive, one blob for each file. Pure.

Names are chosen as for a local folder, so that what is downloaded from the container fits into one.
"""

from __future__ import annotations

from collections.abc import Collection

from include.drive_backup.blob.names import MAX_NAME, MAX_SEGMENT, REST_OF_PATH, encode_segment, fit_folders
from include.drive_backup.blob.segments import is_plain, units
from include.drive_backup.restore.naming import names_of
from include.drive_backup.restore.selection import Entry

#: Blob names by path and format. A folder has the format ``""``; where its name ends with a slash, the blobs below make
#: it, and it needs none of its own.
BlobNames = dict[tuple[str, str], str]


def container_names(entries: Collection[Entry], prefix: str) -> BlobNames:
    """Name everything.

    :param entries: folders before what they hold.
    :param prefix: empty, or ending with a slash.
    """
    filled = {above for entry in entries if entry.formats for above in _above(entry.folder)}
    names: BlobNames = {}
    for (path, content_format), (*folders, last) in names_of(entries, safe_segment).items():
        room = MAX_NAME - units(prefix) - units(last)
        name = prefix + "".join(f"{folder}/" for folder in fit_folders(tuple(folders), room)) + last
        names[path, content_format] = f"{name}/" if path in filled and not content_format else name
    return names


def _above(folder: str) -> list[str]:
    """A folder and those above it."""
    segments = folder.split("/") if folder else []
    return ["/".join(segments[: end + 1]) for end in range(len(segments))]


def safe_segment(name: str, ending: str = "") -> str:
    """The name itself if Blob can hold it, else its encoded form; shortened to what a segment may have.

    :param ending: is never shortened: an extension, or an id.
    """
    if not is_plain(name + ending) or name.startswith(REST_OF_PATH):
        name = encode_segment(name)
    cut = name.encode("utf-16-le")[: (MAX_SEGMENT - units(ending)) * 2].decode("utf-16-le", "ignore")
    # What was in the middle may be at the end now, where a dot or a blank cannot be.
    return cut + ending if ending or cut == name else cut.rstrip(" .") or encode_segment("")
