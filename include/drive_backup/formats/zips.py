"""Zips, and what is one: OOXML, OpenDocument, EPUB. Read from record to record, up to the last one.

Source: PKWARE's APPNOTE.TXT, 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from include.drive_backup.formats.directory import CENTRAL, END, END64, LOCATOR, Directory
from include.drive_backup.formats.entries import LOCAL_MARK, Entries
from include.drive_backup.formats.machine import cut, damaged, wrong
from include.drive_backup.model import Checked

_CENTRAL, _END64, _LOCATOR, _END = b"PK\x01\x02", b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
#: Records that nothing is to be known of, and the bytes of their length: extra data, a digital signature.
_OTHERS = {b"PK\x06\x08": 4, b"PK\x05\x05": 2}


class Zip(Entries):
    """A zip.

    :param wanted: names that it has to have; one with ``/`` at its end is the folder of any name.
    :param types: what it may say in its entry ``mimetype``, if it has one.
    """

    def __init__(self, wanted: Collection[str] = (), types: Collection[str] = ()) -> None:
        super().__init__()
        self._directory = Directory()
        self._lacks = {name.encode() for name in wanted}
        self._types = {name.encode() for name in types}
        self._records: dict[bytes, Callable[[], bool]] = {
            LOCAL_MARK: self._local,
            _CENTRAL: self._central,
            _END64: self._end64,
            _LOCATOR: self._locator,
            _END: self._end,
            **dict.fromkeys(_OTHERS, self._other),
        }

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        if self._step != self._done:
            raise cut("the zip has no end")
        if self._lacks or (self._types and self.said and self.said.strip() not in self._types):
            raise wrong("it is a zip of something else")
        return "whole" if self.opaque else "crc"

    def _begin(self) -> bool:
        head = bytes(self._buffer[:4])
        if not any(mark.startswith(head) for mark in (LOCAL_MARK, _END)):
            raise wrong("it is no zip")
        return len(head) == 4 and self._go(self._next)

    def _next(self) -> bool:
        if len(self._buffer) < 4:
            return False
        step = self._records.get(bytes(self._buffer[:4]))
        if step is None:
            raise damaged("the zip is damaged between its entries")
        return self._go(step)

    def _ended(self, at: int) -> None:
        entry = self.entry
        self._directory.passed(at, entry)
        self._lacks -= {entry.name, entry.name.partition(b"/")[0] + b"/"}

    def _central(self) -> bool:
        # What comes after is no entry any more.
        self._records.pop(LOCAL_MARK, None)
        record = self._record(CENTRAL.size, (28, 2), (30, 2), (32, 2))
        if record is not None:
            self._directory.central(self._at, record)
        return self._used(record)

    def _end64(self) -> bool:
        record = self._record(12, (4, 8))
        if record is not None and len(record) < END64.size:
            raise damaged("the directory of the zip is damaged")
        if record is not None:
            self._directory.end64(self._at, record)
        return self._used(record)

    def _locator(self) -> bool:
        record = self._record(LOCATOR.size)
        if record is not None:
            self._directory.locator(record)
        return self._used(record)

    def _other(self) -> bool:
        length = _OTHERS[bytes(self._buffer[:4])]
        return self._used(self._record(4 + length, (4, length)))

    def _end(self) -> bool:
        record = self._record(END.size, (20, 2))
        if record is not None:
            self._directory.end(self._at, record)
            self._drop(len(record))
        return record is not None and self._go(self._done)

    def _used(self, record: bytes | None) -> bool:
        self._drop(len(record or b""))
        return record is not None and self._go(self._next)

    def _done(self) -> bool:
        if self._buffer:
            raise damaged("something follows the end of the zip")
        return False
