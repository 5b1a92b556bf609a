"""Where bytes come from: memory, a file on disk, or a seed."""

from __future__ import annotations

import hashlib
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PIECE = 1 << 20
ALGORITHMS = ("md5", "sha1", "sha256")
# Up to this many bytes a read or a hash is quicker than handing it to a thread.
INLINE = 256 << 10

Buffer = bytes | memoryview


class Content(ABC):
    """The bytes of one revision. They never change; other bytes are another Content.

    :ivar size: in bytes.
    :ivar blocking: reading may wait for a disk.
    """

    blocking = False

    def __init__(self, size: int) -> None:
        self.size = size
        self._digests: dict[str, str] = {}

    @abstractmethod
    def read(self, start: int, end: int) -> Buffer:
        """The bytes from ``start`` up to ``end``, which are at most one piece apart; fewer when the file shrank.

        :raises OSError: when the file is gone or may not be read.
        """

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut a range at multiples of :data:`PIECE`."""
        while start < end:
            stop = min(end, start - start % PIECE + PIECE)
            yield start, stop
            start = stop

    def digest(self, algorithm: str) -> str | None:
        """A checksum in hex if it is known already."""
        return self._digests.get(algorithm)

    def compute(self, algorithms: Iterable[str]) -> None:
        """Make these checksums known. Blocks; a file that cannot be read keeps none."""
        wanted = [name for name in algorithms if name not in self._digests]
        if not wanted:
            return
        hashes = [hashlib.new(name, usedforsecurity=False) for name in wanted]
        for start, end in self.pieces(0, self.size):
            piece = self.read(start, end)
            if len(piece) != end - start:
                raise OSError("the file shrank while it was hashed")
            for entry in hashes:
                entry.update(piece)
        self.remember(dict(zip(wanted, (entry.hexdigest() for entry in hashes), strict=True)))

    def remember(self, digests: dict[str, str]) -> None:
        """Take over checksums; a subclass may also write them down."""
        self._digests.update(digests)


class BytesContent(Content):
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self.data = data

    def read(self, start: int, end: int) -> Buffer:
        """A view; nothing is copied."""
        return memoryview(self.data)[start:end]


class FileContent(Content):
    """A file on disk, as long as it is there."""

    blocking = True

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(size)
        self.path = path

    def read(self, start: int, end: int) -> Buffer:
        """Read from the disk."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(handle, end - start, start)
        finally:
            os.close(handle)


@cache
def _noise() -> memoryview:
    """Incompressible bytes that all seeded content is cut from."""
    return memoryview(random.Random("local drive").randbytes(4 * PIECE))


class SeededContent(Content):
    """Any number of bytes from a seed, at memory speed and without a disk.

    Every piece starts with a hash of seed and position, and goes on with noise from a place that the hash picks:
    two files, and two pieces of one file, differ, so that pieces in the wrong order or file are found out.
    """

    def __init__(self, seed: str, size: int) -> None:
        super().__init__(size)
        self.seed = seed

    def read(self, start: int, end: int) -> Buffer:
        """Make the bytes."""
        piece, low = divmod(start, PIECE)
        high = low + end - start
        head = hashlib.sha256(f"{self.seed}/{piece}".encode()).digest()
        place = int.from_bytes(head[:4], "big") % (len(_noise()) - PIECE)
        if low >= len(head):
            return _noise()[place + low : place + high]
        return b"".join((head[low:high], _noise()[place + len(head) : place + max(high, len(head))]))


class NativeContent(Content):
    """What a Google editor file holds: text that exports are made of, not bytes that can be downloaded.

    :param text: paragraphs, or rows of tab-separated cells, or the source of a script.
    :param padding: incompressible bytes that each binary export carries on top, to make exports large.
    """

    def __init__(self, text: str, padding: int = 0) -> None:
        super().__init__(len(text.encode()) + padding)
        self.text = text
        self.padding = padding

    def read(self, start: int, end: int) -> Buffer:  # noqa: ARG002 (the base class has them)
        """Never: natives refuse media.

        :raises TypeError: always.
        """
        raise TypeError("a native document has no bytes of its own")
