"""Globs in gitignore's grammar, checked, and what people look for. Part of the vocabulary: all read them alike.

Two texts that look the same are the same: letters with marks may be stored as one character or as two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import unquote_to_bytes

from pathspec import GitIgnoreSpec

from include.drive_backup.errors import ConfigError
from include.drive_backup.paths import NEWLINE, SLASH, ItemPath

_WILDCARDS = frozenset("*?[")
_SPECIAL = frozenset("\\*?[]!#")
#: A glob with one of these may be a path that was shown: it has an encoded character, or an id behind a name. A shown
#: path has no backslash.
_MARKS = frozenset("%~")
#: A character behind a backslash, or encoded ones.
_ENCODED = re.compile(r"\\.|(?:%[0-9A-Fa-f]{2})+", re.DOTALL)


def composed(text: str) -> str:
    """A text whose letters and marks are one character each, where there is one (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """As :func:`composed`, and without the difference between upper and lower case."""
    return text.lower() if text.isascii() else composed(unicodedata.normalize("NFD", text).casefold())


class Globs:
    """Globs that were checked. Each fits a path as it is shown, or in Drive's own names.

    :param read_as: makes equal what counts as the same text.
    """

    def __init__(self, globs: Sequence[str], read_as: Callable[[str], str]) -> None:
        self._read_as = read_as
        self._named = GitIgnoreSpec.from_lines([read_as(decoded(glob)) for glob in globs])
        # The others stay as empty lines, so that a glob has the same place in both lists.
        shown = [read_as(glob) if _may_be_shown(glob) else "" for glob in globs]
        self._shown = GitIgnoreSpec.from_lines(shown) if any(shown) else None

    def match(self, path: ItemPath) -> bool:
        """Whether a path is selected: by the last glob that fits it."""
        found = self._named.check_file(self._read_as(path.named))
        if self._shown is not None:
            other = self._shown.check_file(self._read_as(path.shown))
            found = max(other, found, key=lambda each: -1 if each.index is None else each.index)
        return bool(found.include)


def _may_be_shown(glob: str) -> bool:
    return bool(_MARKS.intersection(glob)) and "\\" not in glob


def decoded(glob: str) -> str:
    r"""A glob on Drive's own names: ``%5B`` is the character and nothing special, as ``\[`` is."""
    return _ENCODED.sub(_decoded, glob).replace("\n", NEWLINE)


def _decoded(match: re.Match[str]) -> str:
    if match[0].startswith("\\"):
        return match[0]
    try:
        text = unquote_to_bytes(match[0]).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return match[0]
    return "".join(map(_itself, text))


def _itself(character: str) -> str:
    """What means a character in a glob, whatever it is."""
    if character == "/":
        return SLASH
    if character.isspace() and character != "\n":
        # Blanks at the end of a glob are dropped, escaped or not.
        return f"[{character}]"
    return f"\\{character}" if character in _SPECIAL else character


def compile_globs(globs: Sequence[str], read_as: Callable[[str], str] = composed) -> Globs:
    """Compile a list of globs. Upper and lower case are different.

    :param read_as: makes equal what counts as the same text.
    :raises ConfigError: names the glob that is wrong.
    """
    for glob in globs:
        try:
            usable = any(pattern.include is not None for pattern in GitIgnoreSpec.from_lines([decoded(glob)]).patterns)
        except (ValueError, re.error):
            usable = False
        # Blank lines, comments and an unclosed "[" match nothing, silently: as a setting each is a mistake.
        if not usable:
            raise ConfigError(
                f"'{glob}' is not a glob that can match anything. Write it as in a .gitignore file, "
                "e.g. '*.tmp', 'Archive/**' or '/Reports/2026/'. To mean a name that looks so, paste its path as "
                "`drive-backup ls` shows it, e.g. '/%5Bdraft'."
            )
    return Globs(globs, read_as)


class Wanted:
    """What a person looks for, in upper or lower case: a glob, or a part of a name, or with a slash of a path.

    :param text: e.g. ``*.xlsx``, ``budget``, ``Reports/2026``.
    :raises ConfigError: nothing can be found by it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._part = folded(text)
        self._globs = _globs_or_none(text) if _WILDCARDS.intersection(text) else None
        if not text.strip():
            raise ConfigError("Say what to look for: a part of a name, a glob such as '*.xlsx', or an item's id.")

    def __str__(self) -> str:
        """To follow "an item"."""
        part = f"whose {'path' if '/' in self._text else 'name'} has '{self._text}' in it"
        return part if self._globs is None else f"whose path fits the glob '{self._text}', or {part}"

    def matches(self, path: ItemPath) -> bool:
        """Whether it is this item."""
        if self._globs is not None and self._globs.match(path):
            return True
        texts = (path.shown, path.literal) if "/" in self._text else (path.segments[-1], path.names[-1])
        return any(self._part in folded(text) for text in texts)


def _globs_or_none(text: str) -> Globs | None:
    """A text such as ``[`` is no glob, and may be looked for all the same."""
    try:
        return compile_globs([text], folded)
    except ConfigError:
        return None
