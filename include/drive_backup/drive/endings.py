"""Whether an export has its end.

Exports have no checksum and often no length, and where the connection's end is the only mark of the body's end, a cut
body looks like a whole one. Most formats, though, say themselves where they end.
"""

from __future__ import annotations

#: How a format begins, how it ends, and within how many last bytes. A zip (docx, xlsx, pptx, odt, epub …) ends with
#: its central directory, which a comment of up to 65,535 bytes may follow (APPNOTE.TXT, 4.3.16).
_FORMATS = (
    (b"PK\x03\x04", b"PK\x05\x06", 22 + 65_535),
    (b"%PDF-", b"%%EOF", 1_024),
    (b"\x89PNG\r\n\x1a\n", b"IEND", 16),
    (b"\xff\xd8\xff", b"\xff\xd9", 64),
    (b"<svg", b"</svg>", 1_024),
    (b"{\\rtf", b"}", 64),
)
_HEAD = max(len(begin) for begin, _, _ in _FORMATS)
_TAIL = max(length for _, _, length in _FORMATS)


class Ending:
    """Sees a body's pieces go by and keeps its first and last bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = bytearray()

    def see(self, piece: bytes) -> None:
        """Take note of the next piece."""
        if len(self._head) < _HEAD:
            self._head = (self._head + piece)[:_HEAD]
        self._tail += piece
        if len(self._tail) > 4 * _TAIL:  # rarely, so that small pieces stay cheap
            del self._tail[:-_TAIL]

    def is_missing(self) -> bool:
        """Whether the body began as a format that we know and does not end as it."""
        for begin, end, length in _FORMATS:
            if self._head.startswith(begin):
                return end not in self._tail[-length:]
        return False
