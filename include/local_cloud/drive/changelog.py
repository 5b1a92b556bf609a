"""A log of changes: one entry per item, the newest wins, tokens never expire."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Entry:
    """The latest change of one item. ``time`` is in milliseconds since 1970."""

    position: int
    time: int
    removed: bool = False
    drive: bool = False


class ChangeLog:
    """The log of one user or of one shared drive.

    :param name: whose it is; a token of one log is refused by another.
    :param first: the position to start at. Logs start at different ones, as Drive's do.
    """

    def __init__(self, name: str, first: int) -> None:
        self.name = name
        self.next = first
        self.entries: dict[str, Entry] = {}

    def record(self, ident: str, moment: int, *, removed: bool = False, drive: bool = False) -> None:
        """Note a change of a file, or of a shared drive as a whole."""
        key = f"drive:{ident}" if drive else ident
        self.entries.pop(key, None)
        self.entries[key] = Entry(self.next, moment, removed=removed, drive=drive)
        self.next += 1

    def since(self, position: int) -> list[tuple[str, Entry]]:
        """All entries from a position on, oldest first."""
        found: list[tuple[str, Entry]] = []
        for key in reversed(self.entries):
            entry = self.entries[key]
            if entry.position < position:
                break
            found.append((key.removeprefix("drive:"), entry))
        return found[::-1]

    def token(self, position: int | None = None) -> str:
        """A page token for a position, by default the end."""
        position = self.next if position is None else position
        if "@" in self.name:
            return str(position)
        return "~!!~" + base64.urlsafe_b64encode(f"{self.name}:{position}".encode()).decode()

    def position(self, token: str) -> int | None:
        """The inverse of :meth:`token`; None for one that is not of this log."""
        if "@" not in self.name:
            try:
                text = base64.urlsafe_b64decode(token.removeprefix("~!!~")).decode()
            except ValueError:
                return None
            name, _, token = text.rpartition(":")
            if name != self.name:
                return None
        if not token.isascii() or not token.isdigit():
            return None
        return int(token) if 0 < int(token) <= self.next else None
