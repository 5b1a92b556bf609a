"""JSON, SVG and RTF, which end when all that they open is closed."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any
from xml.parsers import expat

import ijson
from ijson.common import JSONError

from include.drive_backup.formats.machine import Machine, cut, damaged, wrong
from include.drive_backup.model import Checked

_RTF = b"{\\rtf"
_ESCAPED = re.compile(rb"\\[\\{}]")
#: What expat raises; the others are for encodings that it does not know.
_UNREADABLE = (expat.ExpatError, LookupError, ValueError)
#: What may follow the end of an RTF.
_SPACE = b" \t\r\n\0"


class ScriptJson(Machine):
    """An Apps Script project: one JSON object that has ``files``."""

    def __init__(self) -> None:
        super().__init__()
        self._keys = _Keys()
        self._parser = ijson.basic_parse_coro(self._keys)

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        try:
            self._send()
            self._parser.close()
        except (JSONError, ValueError):
            raise cut("the JSON does not come to its end") from None
        if "files" not in self._keys.found:
            raise wrong("it is no Apps Script project")
        return "whole"

    def _begin(self) -> bool:
        if len(self._buffer) < len(BOM_UTF8):
            return False
        if self._buffer.startswith(BOM_UTF8):
            self._drop(len(BOM_UTF8))
        return self._go(self._parse)

    def _parse(self) -> bool:
        try:
            self._send()
        except (JSONError, ValueError):
            raise (damaged("the JSON cannot be read") if self._keys.found else wrong("it is no JSON object")) from None
        return False

    def _send(self) -> None:
        # To the parser, no bytes are the end.
        if self._buffer:
            self._parser.send(bytes(self._buffer))
            self._drop(len(self._buffer))


class _Keys:
    """Takes the parser's events, and keeps the keys of the outermost object."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._depth = 0

    def send(self, event: tuple[str, Any]) -> None:
        """Take an event."""
        kind, value = event
        if kind.startswith("start"):
            self._depth += 1
        elif kind.startswith("end"):
            self._depth -= 1
        elif kind == "map_key" and self._depth == 1 and len(self.found) < 100:
            self.found.add(value)


class Svg(Machine):
    """XML with the root ``svg``. Nothing outside of it is fetched, and entities that it declares stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._root: str | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._first
        self._parser.EntityDeclHandler = self._entity

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        try:
            self._parser.Parse(b"", True)  # noqa: FBT003 - takes no keywords
        except _UNREADABLE:
            raise cut("the SVG does not come to its end") from None
        return "whole"

    def _begin(self) -> bool:
        try:
            self._parser.Parse(bytes(self._buffer), False)  # noqa: FBT003 - takes no keywords
        except _UNREADABLE:
            raise (damaged("the SVG cannot be read") if self._root else wrong("it is no SVG")) from None
        self._drop(len(self._buffer))
        return False

    def _first(self, name: str, _attributes: object) -> None:
        self._root, self._parser.StartElementHandler = name, None
        if name.rpartition(":")[2] != "svg":
            raise wrong("it is no SVG")

    def _entity(self, *_declared: object) -> None:
        # With a default handler expat does not expand entities in texts; it bounds by itself what it expands elsewhere.
        self._parser.DefaultHandler = lambda _text: None


class Rtf(Machine):
    """Groups in braces, the outermost of which is the file."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._raw = False
        self._seam = self._last = b""

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        self._count(bytes(self._buffer))
        if self._at == 0 or not self._last.endswith(b"}") or (self._depth and not self._raw):
            raise cut("the RTF does not come to its end")
        return "nothing" if self._raw else "whole"

    def _begin(self) -> bool:
        if not _RTF.startswith(self._buffer[: len(_RTF)]):
            raise wrong("it is no RTF")
        return len(self._buffer) >= len(_RTF) and self._go(self._groups)

    def _groups(self) -> bool:
        # A backslash without the character that it escapes waits for it.
        slashes = len(self._buffer) - len(self._buffer.rstrip(b"\\"))
        data = bytes(self._buffer[: len(self._buffer) - slashes % 2])
        self._count(data)
        self._drop(len(data))
        return False

    def _count(self, data: bytes) -> None:
        # Raw bytes may hold braces that open and close nothing.
        self._raw = self._raw or b"\\bin" in self._seam + data
        self._seam = (self._seam + data)[-3:]
        plain = _ESCAPED.sub(b"", data)
        self._depth += plain.count(b"{") - plain.count(b"}")
        self._last = (self._last + plain).rstrip(_SPACE)[-1:] or self._last
