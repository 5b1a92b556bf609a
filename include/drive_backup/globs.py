"""Globs in gitignore's grammar, checked, and what people look for. Part of the vocabulary: all read them alike.

Two texts that look the same are the same: letters with marks may be stored as one character or as two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from include.drive_backup.errors import ConfigError

_WILDCARDS = frozenset("*?[")


def composed(text: str) -> str:
    """A text whose letters and marks are one character each, where there is one (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """As :func:`composed`, and without the difference between upper and lower case."""
    return text.lower() if text.isascii() else composed(unicodedata.normalize("NFD", text).casefold())


class Globs:
    """Globs that were checked.

    :param spec: of composed globs.
    """

    def __init__(self, spec: GitIgnoreSpec) -> None:
        self._spec = spec

    def match_file(self, path: str) -> bool:
        """Whether a path is selected."""
        return self._spec.match_file(composed(path))


def compile_globs(globs: Sequence[str]) -> Globs:
    """Compile a list of globs. Upper and lower case are different.

    :raises ConfigError: names the glob that is wrong.
    """
    for glob in globs:
        try:
            usable = any(pattern.include is not None for pattern in GitIgnoreSpec.from_lines([glob]).patterns)
        except (ValueError, re.error):
            usable = False
        # Blank lines, comments and an unclosed "[" match nothing, silently: as a setting each is a mistake.
        if not usable:
            raise ConfigError(
                f"'{glob}' is not a glob that can match anything. Write it as in a .gitignore file, "
                "e.g. '*.tmp', 'Archive/**' or '/Reports/2026/'."
            )
    return Globs(GitIgnoreSpec.from_lines([composed(glob) for glob in globs]))


class Wanted:
    """What a person looks for, in upper or lower case: a glob, or a part of a name, or with a slash of a path.

    :param text: e.g. ``*.xlsx``, ``budget``, ``Reports/2026``.
    :raises ConfigError: nothing can be found by it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._part = folded(text)
        self._globs = compile_globs([self._part]) if _WILDCARDS.intersection(text) else None
        if not text.strip():
            raise ConfigError("Say what to look for: a part of a name, a glob such as '*.xlsx', or an item's id.")

    def __str__(self) -> str:
        """To follow "an item"."""
        if self._globs is not None:
            return f"whose path fits the glob '{self._text}'"
        return f"whose {'path' if '/' in self._text else 'name'} has '{self._text}' in it"

    def matches(self, path: str) -> bool:
        """Whether it is this item.

        :param path: in Drive's own names, with a slash at the end of a folder.
        """
        path = folded(path)
        if self._globs is not None:
            return self._globs.match_file(path)
        return self._part in (path if "/" in self._part else path.rstrip("/").rpartition("/")[2])
