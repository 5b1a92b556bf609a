"""What reads a format step by step: each step waits until all of its bytes are there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from include.drive_backup.model import Checked

#: Of bytes that are only counted, so many are handed on at once.
_MOST = 1024**2


class FlawError(Exception):
    """Bytes are not a whole file of a format.

    :param reason: ``wrongFormat``, ``cutBody`` or ``damagedExport``.
    """

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


def wrong(what: str) -> FlawError:
    """It is something else."""
    return FlawError("wrongFormat", what)


def cut(what: str) -> FlawError:
    """It has no end."""
    return FlawError("cutBody", what)


def damaged(what: str) -> FlawError:
    """It is of the format, and something in it is not as it was made."""
    return FlawError("damagedExport", what)


class Machine(ABC):
    """A reader of one format. ``_step`` does the next step: true when it came further, false when it needs more bytes.

    :ivar _buffer: bytes that no step has used yet.
    :ivar _at: where in the file the buffer begins.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._step: Callable[[], bool] = self._begin
        self._left = 0
        self._then = self._step
        self._sink: Callable[[memoryview], None] | None = None

    def see(self, piece: bytes) -> None:
        """Take the next bytes.

        :raises FlawError: they cannot be of such a file.
        """
        self._buffer += piece
        while self._step():
            pass

    @abstractmethod
    def end(self) -> Checked:
        """All bytes have come: what the check was worth.

        :raises FlawError: it is no whole file.
        """

    @abstractmethod
    def _begin(self) -> bool:
        """The first step."""

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at += count

    def _go(self, step: Callable[[], bool]) -> bool:
        self._step = step
        return True

    def _pass(self, count: int, then: Callable[[], bool], sink: Callable[[memoryview], None] | None = None) -> bool:
        """Let bytes go by.

        :param then: the step after them.
        :param sink: sees them.
        """
        self._left, self._then, self._sink = count, then, sink
        return self._go(self._passing)

    def _passing(self) -> bool:
        count = min(self._left, len(self._buffer), _MOST)
        if self._sink is not None and count:
            with memoryview(self._buffer) as view, view[:count] as part:
                self._sink(part)
        self._drop(count)
        self._left -= count
        return self._go(self._then) if self._left == 0 else count > 0
