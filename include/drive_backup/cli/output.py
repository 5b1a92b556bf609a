"""What a command prints: a table for people, tab-separated lines for pipes, JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from include.drive_backup.model import human_bytes

Row = Mapping[str, Any]


class Output:
    """Prints rows in the way that was asked for.

    :param as_json: one JSON object a line.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False)
        self.progress = Console(stderr=True, highlight=False)
        self._warned = False

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Print rows.

        :param columns: the keys that people see, in order; programs get all.
        """
        if self.as_json:
            for row in rows:
                self.line(row)
        elif self.console.is_terminal:
            table = Table(*[column.replace("_", " ") for column in columns], box=None, pad_edge=False)
            for row in rows:
                table.add_row(*[Text(_shown(column, row.get(column))) for column in columns])
            self.console.print(table)
        else:
            for row in rows:
                print("\t".join(_shown(column, row.get(column)) for column in columns))  # noqa: T201

    def line(self, row: Row) -> None:
        """Print one object as JSON."""
        print(json.dumps(msgspec.to_builtins(row)))  # noqa: T201

    def note(self, text: str | None) -> None:
        """Something to know beside the rows, on stderr, so that it is in nobody's pipe; None says nothing."""
        if text is not None:
            self.progress.print(Text(f"Note: {text}"), soft_wrap=True)

    def say(self, text: str) -> None:
        """A sentence for people; programs do not get it."""
        if not self.as_json:
            self.console.print(Text(text))

    def warn(self, text: str) -> None:
        """A sentence on stderr: programs that read the output are not disturbed by it."""
        self.progress.print(Text(text), soft_wrap=True)

    def warn_once(self, text: str) -> None:
        """As :meth:`warn`, but only the first of several that say the same of different things."""
        if not self._warned:
            self._warned = True
            self.warn(text)


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in ("bytes", "size") and isinstance(value, int):
        return human_bytes(value)
    text = str(value)
    # A name may hold anything, also what would move a terminal's cursor or look like two columns.
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
