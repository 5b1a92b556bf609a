"""Texts of others in a line of ours: in a log or on a terminal a name must not look like more than a name. Pure."""

from __future__ import annotations

import re

#: What ends a line somewhere, moves a terminal's cursor, turns the direction of writing, or cannot be encoded.
BREAKING = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
#: Beside these, what is not seen or looks like a blank. Joiners are no part of it: emoji and some scripts need them.
HIDDEN = BREAKING + "\xa0\xad\u1680\u180e\u2000-\u200b\u202f\u205f-\u2065\u206a-\u206f\u3000\ufeff\ufff9-\ufffb"

_BREAKING = re.compile(f"[{BREAKING}]")
_HIDDEN = re.compile(f"[{HIDDEN}]")
_BACKTICKS = re.compile("`+")


def one_line(text: str) -> str:
    r"""The text as one line: what would break it, or write over it, is shown by its number, e.g. ``\x1b``."""
    return text if text.isascii() and text.isprintable() else _BREAKING.sub(_number, text)


def visible(text: str) -> str:
    """As :func:`one_line`, and without blanks that are no spaces: a value to be copied from a table."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_number, text)


def markdown_code(text: str) -> str:
    """The text as Markdown that shows it as it is, in one line."""
    text = one_line(text)
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    blank = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _number(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"
