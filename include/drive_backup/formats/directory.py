"""The central directory of a zip, held against the entries that went by. Source: PKWARE's APPNOTE.TXT, 4.3 and 4.5.3.

Not compared are fields that no reader needs to get at the contents, and in which writers differ: versions, attributes,
extra fields and comments.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from include.drive_backup.formats.machine import FlawError, damaged

LOCAL = struct.Struct("<4s2xHH4sIIIHH")
CENTRAL = struct.Struct("<4s4xHH4sIIIHHHH6xI")
END64 = struct.Struct("<4sQ4xIIQQQQ")
LOCATOR = struct.Struct("<4sIQI")
END = struct.Struct("<4sHHHHIIH")

#: Where a field of 32 or 16 bits says that the value is elsewhere.
_32, _16 = 0xFFFF_FFFF, 0xFFFF
_ZIP64 = 1
#: The directory is encrypted, and so the values beside the entries are masked.
_MASKED = 0x2000


class Entry(NamedTuple):
    """What a zip says of an entry, beside it and in its directory. Lengths in bytes."""

    flags: int
    method: int
    time: bytes
    crc: int
    packed: int
    size: int
    name: bytes


def in_full(extra: bytes, *values: int) -> list[int]:
    """Values of a header; those that do not fit in 32 bits are in its extra field, in this order."""
    wide = _zip64(extra)
    found = []
    for value in values:
        if value == _32 and len(wide) >= 8:
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]  # noqa: PLW2901
        found.append(value)
    return found


def _zip64(extra: bytes) -> bytes:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _ZIP64:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


class Directory:
    """Compares. Each method takes one record; its length in bytes is right."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._start: int | None = None
        self._count = 0
        self._wide_at: int | None = None
        self._located = False

    def passed(self, at: int, entry: Entry) -> None:
        """An entry went by, which begins at a place in the file."""
        self._entries[at] = entry

    def central(self, at: int, record: bytes) -> None:
        """A record of the directory."""
        if self._start is None:
            self._start = at
        self._count += 1
        _, flags, method, time, crc, packed, size, name, extra, _comment, disk, place = CENTRAL.unpack_from(record)
        first = CENTRAL.size + name
        size, packed, place = in_full(record[first : first + extra], size, packed, place)
        found = self._entries.get(place)
        said = Entry(flags, method, time, crc, packed, size, record[CENTRAL.size : first])
        if found is None or disk not in (0, _16) or not (found == said or flags & found.flags & _MASKED):
            raise _not_right()

    def end64(self, at: int, record: bytes) -> None:
        """The end of a directory whose numbers do not fit elsewhere."""
        _, _, disk, first_disk, here, count, size, start = END64.unpack_from(record)
        self._check(at, (disk, first_disk), (here, count), size, start)
        self._wide_at = at

    def locator(self, record: bytes) -> None:
        """It says where that is."""
        _, disk, place, disks = LOCATOR.unpack(record)
        if place != self._wide_at or disk or disks > 1:
            raise _not_right()
        self._located = True

    def end(self, at: int, record: bytes) -> None:
        """The last record. What does not fit into it has to be in the record before."""
        _, *disks, here, count, size, start, _comment = END.unpack_from(record)
        wide = self._located
        if (self._wide_at is not None) is not wide:
            raise _not_right()
        end = at if self._wide_at is None else self._wide_at
        first = end if self._start is None else self._start
        numbers = [self._count if wide and number == _16 else number for number in (here, count)]
        self._check(
            end,
            [0 if wide and disk == _16 else disk for disk in disks],
            numbers,
            end - first if wide and size == _32 else size,
            first if wide and start == _32 else start,
        )

    def _check(self, end: int, disks: object, counts: object, size: int, start: int) -> None:
        first = end if self._start is None else self._start
        if [*disks, *counts, size, start] != [0, 0, self._count, self._count, end - first, first]:  # type: ignore[misc]
            raise _not_right()


def _not_right() -> FlawError:
    return damaged("the directory of the zip is not that of its entries")
