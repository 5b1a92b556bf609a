"""The entries of a zip, unpacked while they go by. Source: PKWARE's APPNOTE.TXT, 4.3 and 4.4.

Lengths and CRC of an entry may follow it (a data descriptor), with or without a signature, in 32 or 64 bits. A packed
entry tells by itself where it ends; of another one the descriptor is looked for, which has its length and CRC.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Iterator

from isal import isal_zlib

from include.drive_backup.formats.directory import LOCAL, Entry, in_full
from include.drive_backup.formats.machine import Machine, damaged

LOCAL_MARK = b"PK\x03\x04"
_MARK = b"PK\x07\x08"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _STREAMED = 1, 8
_32 = 0xFFFF_FFFF
#: Bytes that are unpacked at once.
_OUT = 1024**2
_DESCRIPTORS = (struct.Struct("<III"), struct.Struct("<IQQ"))
#: The longest of them with its signature, and that of what follows.
_ENOUGH = 4 + 20 + 4
#: Bytes of a record that are kept in memory: names, extra fields and comments have at most 64 KiB each.
_LONGEST = 256 * 1024
_SAID = 256


class Entries(Machine):
    """Reads entries; what else is in a zip is the business of who inherits.

    :ivar entry: the last one.
    :ivar opaque: whether there was one that cannot be unpacked: encrypted, or packed in a way of its own.
    :ivar said: the beginning of the entry ``mimetype``.
    """

    entry: Entry

    def __init__(self) -> None:
        super().__init__()
        self.opaque = False
        self.said = b""
        self._start = 0
        self._crc = self._packed = self._size = 0
        self._closed = False

    @abstractmethod
    def _next(self) -> bool:
        """The step after an entry."""

    @abstractmethod
    def _ended(self, at: int) -> None:
        """An entry, which began at a place in the file, is whole."""

    def _record(self, length: int, *more: tuple[int, int]) -> bytes | None:
        """The record at the beginning of the buffer; None while it is not all there.

        :param length: bytes of its fixed part.
        :param more: where in that lengths of further parts are, and bytes of these.
        """
        if len(self._buffer) < length:
            return None
        total = length + sum(int.from_bytes(self._buffer[at : at + width], "little") for at, width in more)
        if total > _LONGEST:
            raise damaged("the directory of the zip is damaged")
        return bytes(self._buffer[:total]) if len(self._buffer) >= total else None

    def _local(self) -> bool:
        record = self._record(LOCAL.size, (26, 2), (28, 2))
        if record is None:
            return False
        _, flags, method, time, crc, packed, size, name, _extra = LOCAL.unpack_from(record)
        first = LOCAL.size + name
        size, packed = in_full(record[first:], size, packed)
        self.entry = Entry(flags, method, time, crc, packed, size, record[LOCAL.size : first])
        self._start = self._at
        self._crc = self._packed = self._size = 0
        self._drop(len(record))
        return self._content()

    def _content(self) -> bool:
        entry = self.entry
        self._closed = bool(entry.flags & _ENCRYPTED) or entry.method not in (_STORED, _DEFLATED)
        self.opaque = self.opaque or self._closed
        if entry.method == _DEFLATED and not self._closed:
            self._inflater = isal_zlib.decompressobj(wbits=-15)
            return self._go(self._inflate)
        if entry.flags & _STREAMED and entry.packed in (0, _32):
            return self._go(self._search)
        return self._pass(entry.packed, self._after, self._plain)

    def _plain(self, data: memoryview | bytes) -> None:
        self._packed += len(data)
        if not self._closed:
            self._unpacked(bytes(data))

    def _unpacked(self, data: bytes) -> None:
        self._crc = isal_zlib.crc32(data, self._crc)
        self._size += len(data)
        if self.entry.name == b"mimetype":
            self.said = (self.said + data[:_SAID])[:_SAID]

    def _inflate(self) -> bool:
        data = bytes(self._buffer)
        try:
            for out in self._unpack(data):
                self._unpacked(out)
        except isal_zlib.IsalError:  # type: ignore[misc]  # its stubs name no class
            raise self._broken() from None
        used = len(data) - len(self._inflater.unused_data)
        self._drop(used)
        self._packed += used
        return self._inflater.eof and self._go(self._after)

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        while data:
            out = self._inflater.decompress(data, _OUT)
            yield out
            data = self._inflater.unconsumed_tail
            while len(out) == _OUT and not data and not self._inflater.eof:
                yield (out := self._inflater.decompress(b"", _OUT))

    def _after(self) -> bool:
        entry = self.entry
        if entry.flags & _STREAMED:
            return self._descriptor()
        if entry.packed != self._packed or not (self._closed or (entry.crc, entry.size) == (self._crc, self._size)):
            raise self._broken()
        return self._finish(entry)

    def _descriptor(self) -> bool:
        if len(self._buffer) < _ENOUGH:
            return False
        found = self._described()
        if found is None:
            raise self._broken()
        return self._finish(found)

    def _fits_header(self, found: Entry) -> bool:
        """Beside an entry that is followed by its lengths and CRC these are zero, unknown, or the same."""
        pairs = ((self.entry.crc, found.crc), (self.entry.packed, found.packed), (self.entry.size, found.size))
        return all(said in (0, _32, real) for said, real in pairs)

    def _search(self) -> bool:
        at = self._buffer.find(_MARK)
        known = len(self._buffer) - len(_MARK) + 1 if at < 0 else at
        self._data(max(0, known))
        if at < 0 or len(self._buffer) < _ENOUGH:
            return False
        found = self._described()
        if found is None:
            self._data(1)
            return True
        return self._finish(found)

    def _data(self, count: int) -> None:
        self._plain(bytes(self._buffer[:count]))
        self._drop(count)

    def _described(self) -> Entry | None:
        """The entry with what a descriptor here says, if that is true of what went by; uses the descriptor up."""
        begin = len(_MARK) if self._buffer.startswith(_MARK) else 0
        for form in _DESCRIPTORS:
            crc, packed, size = form.unpack_from(self._buffer, begin)
            real = packed == self._packed and (self._closed or (crc, size) == (self._crc, self._size))
            end = begin + form.size
            entry = self.entry._replace(crc=crc, packed=packed, size=size)
            if real and self._fits_header(entry) and self._buffer[end : end + 2] == b"PK":
                self._drop(end)
                return entry
        return None

    def _finish(self, entry: Entry) -> bool:
        self.entry = entry
        self._ended(self._start)
        return self._go(self._next)

    def _broken(self) -> Exception:
        return damaged("an entry of the zip does not match its CRC")
