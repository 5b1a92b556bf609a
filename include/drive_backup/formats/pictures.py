"""PNG, JPEG and MP4, read from part to part.

Sources: "Portable Network Graphics, Third Edition" (chunks, 5.3), ITU-T T.81 (JPEG's markers, annex B), ISO/IEC
14496-12 (boxes, 4.2).
"""

from __future__ import annotations

import struct

from isal import isal_zlib

from include.drive_backup.formats.machine import Machine, cut, damaged, wrong
from include.drive_backup.model import Checked

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Bytes that may follow the end of a JPEG: some writers pad.
_PADDING = 1_024
#: Markers inside of a JPEG's pixels, by their second byte: a stuffed zero, fill, and restarts.
_IN_PIXELS = frozenset({0x00, 0xFF, *range(0xD0, 0xD8)})


class Png(Machine):
    """Chunks, each with a CRC of its own: any changed byte is seen."""

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        if self._step != self._done:
            raise cut("the PNG has no end")
        return "crc"

    def _begin(self) -> bool:
        if not _PNG.startswith(self._buffer[: len(_PNG)]):
            raise wrong("it is no PNG")
        if len(self._buffer) < len(_PNG):
            return False
        self._drop(len(_PNG))
        return self._go(self._chunk)

    def _chunk(self) -> bool:
        if len(self._buffer) < 8:
            return False
        length, self._kind = struct.unpack_from(">I4s", self._buffer)
        if (self._at == len(_PNG)) is not (self._kind == b"IHDR") or length >= 1 << 31:
            raise damaged("a chunk of the PNG is damaged")
        self._drop(8)
        self._crc = isal_zlib.crc32(self._kind)
        return self._pass(length, self._checksum, self._sum)

    def _sum(self, data: memoryview) -> None:
        self._crc = isal_zlib.crc32(data, self._crc)

    def _checksum(self) -> bool:
        if len(self._buffer) < 4:
            return False
        if int.from_bytes(self._buffer[:4], "big") != self._crc:
            raise damaged("a chunk of the PNG does not match its CRC")
        self._drop(4)
        return self._go(self._done if self._kind == b"IEND" else self._chunk)

    def _done(self) -> bool:
        if self._buffer:
            raise damaged("something follows the end of the PNG")
        return False


class Jpeg(Machine):
    """Segments up to the end marker; one that belongs to a picture inside a segment does not count."""

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        if self._step != self._done:
            raise cut("the JPEG has no end")
        return "whole"

    def _begin(self) -> bool:
        if not _JPEG.startswith(self._buffer[: len(_JPEG)]):
            raise wrong("it is no JPEG")
        if len(self._buffer) < len(_JPEG):
            return False
        self._drop(2)
        return self._go(self._marker)

    def _marker(self) -> bool:
        if len(self._buffer) < 2:
            return False
        first, kind = self._buffer[:2]
        if first != 0xFF:
            raise damaged("a segment of the JPEG is damaged")
        if kind == 0xFF:  # fill
            self._drop(1)
            return True
        if kind == 0xD9:
            self._drop(2)
            return self._go(self._done)
        return self._segment(kind)

    def _segment(self, kind: int) -> bool:
        if len(self._buffer) < 4:
            return False
        length = int.from_bytes(self._buffer[2:4], "big")
        if length < 2:
            raise damaged("a segment of the JPEG is damaged")
        return self._pass(2 + length, self._pixels if kind == 0xDA else self._marker)

    def _pixels(self) -> bool:
        at = self._buffer.find(b"\xff")
        self._drop(len(self._buffer) if at < 0 else at)
        if len(self._buffer) < 2:
            return False
        if self._buffer[1] not in _IN_PIXELS:
            return self._go(self._marker)
        self._drop(1 if self._buffer[1] == 0xFF else 2)
        return True

    def _done(self) -> bool:
        if len(self._buffer) > _PADDING:
            raise damaged("something follows the end of the JPEG")
        return False


class Mp4(Machine):
    """Boxes with lengths, of which one (``moov``) says what the others are."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: set[bytes] = set()

    def end(self) -> Checked:
        """See :meth:`Machine.end`."""
        whole = self._step == self._to_the_end or (self._step == self._begin and not self._buffer)
        if not whole or b"moov" not in self._kinds:
            raise cut("the MP4 has no end")
        return "whole"

    def _begin(self) -> bool:
        if len(self._buffer) < 8:
            return False
        length, kind = struct.unpack_from(">I4s", self._buffer)
        if not self._kinds and kind != b"ftyp":
            raise wrong("it is no MP4")
        if length == 1:
            return self._long(kind)
        return self._box(length, kind)

    def _long(self, kind: bytes) -> bool:
        if len(self._buffer) < 16:
            return False
        return self._box(int.from_bytes(self._buffer[8:16], "big"), kind)

    def _box(self, length: int, kind: bytes) -> bool:
        self._kinds.add(kind)
        if length == 0:
            return self._go(self._to_the_end)
        if length < 8 or len(self._kinds) > 1_000:
            raise damaged("a box of the MP4 is damaged")
        return self._pass(length, self._begin)

    def _to_the_end(self) -> bool:
        self._drop(len(self._buffer))
        return False
