"""PDF, which ends with the place of its table of objects. Source: ISO 32000-1, 7.5 and annex H."""

from __future__ import annotations

import re

from include.drive_backup.formats.machine import Machine, cut, damaged, wrong
from include.drive_backup.model import Checked

_HEAD = b"%PDF-"
#: Bytes that readers let come before the beginning, or after the end.
_AROUND = 1_024
_TAIL = 2 * _AROUND
_END = re.compile(rb"startxref\s+(\d{1,20})\s+%%EOF[\r\n]{0,2}")
#: Places that are remembered; a file has one or two, and more only by chance.
_MOST = 100_000


class Pdf(Machine):
    """Its last bytes name the place of a table. One that is no nearer to its beginning has lost nothing before it."""

    def __init__(self) -> None:
        super().__init__()
        self._tables: list[int] = []
        self._noted = 0
        self._arranged: list[int] = []

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        if self._step == self._begin:
            raise wrong("it is no PDF")
        found = max(_END.finditer(self._buffer), key=re.Match.start, default=None)
        after = bytes(self._buffer[found.end() :]) if found else b""
        # Where a PDF was changed later, more objects follow an end that is not the last.
        if found is None or len(after) > _AROUND or after.strip()[:1].isdigit():
            raise cut("the PDF has no end")
        place = int(found[1])
        if place == 0 and min(self._arranged, default=_TAIL) < _TAIL:
            raise cut("the PDF has only the first of its two ends")
        if place > max(self._tables, default=self._at + found.start()):
            raise damaged("a part of the PDF is missing: its table of objects is not where its end says")
        return "whole"

    def _begin(self) -> bool:
        if self._buffer.find(_HEAD, 0, _AROUND + len(_HEAD)) >= 0:
            return self._go(self._body)
        if len(self._buffer) >= _AROUND + len(_HEAD):
            raise wrong("it is no PDF")
        return False

    def _body(self) -> bool:
        self._note(b"xref", self._tables)
        self._note(b"/XRef", self._tables)
        # One that is arranged for the web says so in its first object, and has an end near its beginning.
        self._note(b"/Linearized", self._arranged)
        self._noted = self._at + len(self._buffer)
        self._drop(max(0, len(self._buffer) - _TAIL))
        return False

    def _note(self, word: bytes, places: list[int]) -> None:
        at = self._buffer.find(word, max(0, self._noted - self._at - len(word) + 1))
        while at >= 0 and len(places) < _MOST:
            # The word that begins a table is also the end of the one that says where a table is.
            if not self._buffer.endswith(b"start", 0, at):
                places.append(self._at + at)
            at = self._buffer.find(word, at + 1)
