"""The events of one partition in one append-only file.

A record is a batch: it is there wholly or not at all, as a batch is in Event Hubs. Layout, big-endian::

    u32 length of the payload | u32 CRC-32 of the rest of the header and the payload | u32 events | i64 enqueued, ms
    payload: per event u32 length | message

A batch is written before it is acknowledged, which is all that a killed process needs; the disk is told to keep it
(``sync``) once a second by the server. After a crash the last record may be torn: it was never acknowledged, and
opening the log cuts it off.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct(">IIIq")
_SUMMED = struct.Struct(">Iq")
_LENGTH = struct.Struct(">I")


class LogCorruptError(Exception):
    """A record in the middle of a log is damaged; cutting it off would lose what follows."""


class Entry(NamedTuple):
    """One event as it is kept. ``offset`` is its byte position, ``enqueued`` in milliseconds since 1970."""

    sequence: int
    offset: int
    enqueued: int
    message: bytes


class PartitionLog:
    """Appends and reads. Sequence numbers start at 0 and have no gaps.

    :param path: the file; it is made when it is missing.
    :raises LogCorruptError: when a record other than the last one is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = array("q")
        self._sizes = array("I")
        self._times = array("q")
        self._dirty = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._end = self._recover()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def next_sequence(self) -> int:
        """The number that the next event gets."""
        return len(self._offsets)

    @property
    def last(self) -> tuple[int, int, int]:
        """Sequence number, offset and time (ms) of the last event; ``(-1, -1, 0)`` when there is none."""
        if not self._offsets:
            return -1, -1, 0
        return len(self._offsets) - 1, self._offsets[-1], self._times[-1]

    def append(self, messages: Sequence[bytes], now: int) -> int:
        """Write one batch.

        :param now: milliseconds since 1970; never goes back within a partition.
        :return: the first event's sequence number.
        :raises OSError: when it cannot be written; the log is as before.
        """
        first, enqueued = self.next_sequence, max(now, self.last[2])
        payload = b"".join(part for message in messages for part in (_LENGTH.pack(len(message)), message))
        summed = _SUMMED.pack(len(messages), enqueued)
        crc = zlib.crc32(payload, zlib.crc32(summed))
        self._write(_HEAD.pack(len(payload), crc, len(messages), enqueued) + payload)
        self._index(self._end, payload, enqueued)
        self._end += _HEAD.size + len(payload)
        return first

    def read(self, sequence: int) -> Entry:
        """One event.

        :raises IndexError: when there is none with that number.
        """
        offset = self._offsets[sequence]
        message = os.pread(self._file, self._sizes[sequence], offset)
        return Entry(sequence, offset, self._times[sequence], message)

    def from_offset(self, offset: int, *, inclusive: bool) -> int:
        """The sequence number of the first event beyond (or at) an offset."""
        return (bisect_left if inclusive else bisect_right)(self._offsets, offset)

    def from_time(self, moment: int, *, inclusive: bool) -> int:
        """The sequence number of the first event after (or at) a time in milliseconds."""
        return (bisect_left if inclusive else bisect_right)(self._times, moment)

    def sync(self) -> None:
        """Have the disk keep what was written, if anything was."""
        if self._dirty:
            self._dirty = False
            os.fdatasync(self._file)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._file)

    def _write(self, record: bytes) -> None:
        view, position = memoryview(record), self._end
        self._dirty = True
        try:
            while view:
                written = os.pwrite(self._file, view, position)
                view, position = view[written:], position + written
        except OSError:
            os.ftruncate(self._file, self._end)
            raise

    def _index(self, start: int, payload: bytes, enqueued: int) -> None:
        at = 0
        while at < len(payload):
            (size,) = _LENGTH.unpack_from(payload, at)
            self._offsets.append(start + _HEAD.size + at + _LENGTH.size)
            self._sizes.append(size)
            self._times.append(enqueued)
            at += _LENGTH.size + size

    def _recover(self) -> int:
        """Read the file into the index and cut off a torn end. Where the good records end."""
        size, position = os.fstat(self._file).st_size, 0
        while position < size:
            end = self._recover_record(position, size)
            if end is None:
                os.ftruncate(self._file, position)
                break
            position = end
        return position

    def _recover_record(self, position: int, size: int) -> int | None:
        head = os.pread(self._file, _HEAD.size, position)
        if len(head) < _HEAD.size:
            return None
        length, crc, count, enqueued = _HEAD.unpack(head)
        end: int = position + _HEAD.size + length
        payload = os.pread(self._file, length, position + _HEAD.size) if end <= size else b""
        if end <= size and length and zlib.crc32(payload, zlib.crc32(_SUMMED.pack(count, enqueued))) == crc:
            self._index(position, payload, enqueued)
            return end
        if end < size and not self._only_zeros(position):
            raise LogCorruptError(
                f"{self.path} is damaged at byte {position}, and more events follow. "
                "Move the state folder away to start with an empty hub."
            )
        return None

    def _only_zeros(self, position: int) -> bool:
        """After a power cut a file may end in blocks that were never filled."""
        while piece := os.pread(self._file, 1 << 20, position):
            if piece.strip(b"\0"):
                return False
            position += len(piece)
        return True
