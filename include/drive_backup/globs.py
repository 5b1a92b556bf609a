"""Globs in gitignore's grammar, checked. Part of the vocabulary: config, params and planning read them alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from include.drive_backup.errors import ConfigError


def compile_globs(globs: Sequence[str]) -> GitIgnoreSpec:
    """Compile a list of globs.

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
    return GitIgnoreSpec.from_lines(globs)
