"""Drive names as segments of blob names: readable, reversible, never the same for two children of one folder.

Three marks, all made of ``~`` (which a Drive name can only hold encoded, as ``%7E``)::

    report.pdf              the name as it is
    report.pdf~1AbC…        a later sibling of the same name: its file id follows
    Very long na~~9f86…     shortened: SHA-256 (32 hex digits) of the encoded name follows
    ~                       the empty name
    ~orphans, ~trash        no Drive name at all: folders that this software adds
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from urllib.parse import unquote_to_bytes

from include.drive_backup.printing import HIDDEN

#: UTF-16 code units; a file system that someone downloads to allows no more.
MAX_SEGMENT = 255

#: The folder that holds items without a parent that can be seen.
ORPHANS = "~orphans"
#: The folder that holds what is in the trash, when a job saves that.
TRASH = "~trash"

_EMPTY = "~"
_MAX_ID = 64
_HASH_DIGITS = 32
_PLANE_ENDS = "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
# What Blob refuses (controls, non-characters, lone surrogates), what clients turn into something else (backslash, a
# trailing dot or blank, a leading blank, "." and ".."), and our own marks.
_REFUSED = rf"\x00-\x1f\x7f-\x9f/\\%~\ud800-\udfff\ufdd0-\ufdef\ufff0-\uffff{_PLANE_ENDS}"
_ENDS = r"\A |[ .]\Z|\A\.(?=\.\Z)"
_NOT_PLAIN = re.compile(f"[{_REFUSED}]|{_ENDS}")
# And what is special in a glob, or not seen: shown paths are pasted again. See docs/format.md, "Encoding".
_UNSAFE = re.compile(rf"[{_REFUSED}*?\[{HIDDEN}]|{_ENDS}")
_SEGMENT = re.compile(rf"([^~]+|~)(~~[0-9a-f]{{{_HASH_DIGITS}}})?(~[^~]+)?")


def units(text: str) -> int:
    """Length in UTF-16 code units, which is what Azure and Windows count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def encode_segment(name: str) -> str:
    """Make a Drive name fit for one segment of a blob name; longer than :data:`MAX_SEGMENT`, it is shortened."""
    return _shorten(_escape(name), MAX_SEGMENT)


def decode_segment(segment: str) -> str:
    """The Drive name that a segment was made of.

    :raises ValueError: when the segment was shortened (the catalogue has the whole name) or is no encoded name.
    """
    match = _SEGMENT.fullmatch(segment)
    if match is None or match[2]:
        raise ValueError(f"'{segment}' does not hold a whole Drive name; look up the item in the catalogue.")
    return "" if match[1] == _EMPTY else unquote_to_bytes(match[1]).decode("utf-8", "surrogatepass")


def is_plain(name: str) -> bool:
    """Whether Blob and its clients hold a name as it is; our own marks ``%`` and ``~`` are nothing to them."""
    return bool(name) and _NOT_PLAIN.search(name.replace("%", "_").replace("~", "_")) is None


def sibling_segments(children: Iterable[tuple[str, str, datetime | None]]) -> dict[str, str]:
    """Name the children of one folder, files and folders together.

    The earliest created (then the smallest id) keeps the plain name, so that a duplicate that appears later does
    not rename what is there; the others carry their id.

    :param children: (file id, Drive name, creation time) of each child; ids are unique.
    :return: the segment of each file id.
    """
    named = sorted((encode_segment(name), created or _LATEST, ident) for ident, name, created in children)
    segments: dict[str, str] = {}
    for segment, same in groupby(named, key=lambda child: child[0]):
        (_, _, first), *others = same
        segments[first] = segment
        segments.update({ident: _with_id(segment, ident) for _, _, ident in others})
    return segments


_LATEST = datetime.max.replace(tzinfo=UTC)


def _with_id(segment: str, ident: str) -> str:
    mark = "~" + (_escape(ident) if len(ident) <= _MAX_ID else _digest(ident))
    return _shorten(segment, MAX_SEGMENT - units(mark)) + mark


def _escape(text: str) -> str:
    return _UNSAFE.sub(_percent, text) if text else _EMPTY


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _shorten(encoded: str, limit: int) -> str:
    if units(encoded) <= limit:
        return encoded
    mark = "~~" + _digest(encoded)
    head, _, earlier = encoded.partition("~~")
    mark = f"~~{earlier}" if earlier else mark
    room = limit - units(mark)
    cut = head.encode("utf-16-le")[: room * 2].decode("utf-16-le", "ignore")
    return re.sub(r"%[0-9A-F]?\Z", "", cut) + mark


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
