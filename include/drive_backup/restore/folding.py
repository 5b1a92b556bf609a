"""Which names some file system takes for one. Pure."""

from __future__ import annotations

import unicodedata

#: Code points that file systems ignore when they compare names, beside those of the category Cf.
_IGNORED = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10))))


def folded(name: str) -> str:
    """Equal for names that some file system takes for one.

    Some compare by capitals, some by small letters, some by how letters are composed; some leave out what cannot be
    seen, and Windows leaves out dots and blanks at the end.
    """
    seen = "".join(each for each in name if not _is_ignored(each)) if not name.isascii() else name
    once = unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).upper().casefold())
    return once.rstrip(" .") or once


def _is_ignored(character: str) -> bool:
    return character in _IGNORED or unicodedata.category(character) == "Cf"
