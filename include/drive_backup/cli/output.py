"""What a command prints: a table for people, tab-separated lines for pipes, JSON lines for programs.

No line is folded or cut, at any width: a terminal wraps lines by itself, and a name, an id or a time that was cut
cannot be used for the next command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from include.drive_backup.model import human_bytes
from include.drive_backup.printing import one_line, visible

Row = Mapping[str, Any]
#: Cells of a column; a longer value moves the rest of its line, not that of all others.
_WIDEST = 48


class Output:
    """Prints rows in the way that was asked for.

    :param as_json: one JSON object a line.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False)
        self.progress = Console(stderr=True, highlight=False)
        self.flawed = False
        self._warned = False

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Print rows.

        :param columns: the keys that people see, in order; programs get all.
        """
        if self.as_json:
            for row in rows:
                self.line(row)
            return
        lines = [[_shown(column, row.get(column)) for column in columns] for row in rows]
        if self.console.is_terminal:
            for text in _aligned([[column.replace("_", " ") for column in columns], *lines]):
                self.console.print(Text(text), soft_wrap=True)
        else:
            for line in lines:
                print("\t".join(line))  # noqa: T201

    def line(self, row: Row) -> None:
        """Print one object as JSON. An item's id is ``id`` in all commands, a time is as in RFC 3339."""
        named = {"id" if key == "item_id" else key: value for key, value in row.items()}
        print(json.dumps(msgspec.to_builtins(named)))  # noqa: T201

    def problem(self, kind: str, message: str) -> None:
        """Why the command could not be done, on stderr.

        :param kind: the class of the error.
        """
        said = json.dumps({"error": kind, "message": message}) if self.as_json else f"drive-backup: {one_line(message)}"
        print(said, file=sys.stderr)  # noqa: T201

    def nothing(self, text: str) -> None:
        """Why there are no rows: a sentence for people, an object on stderr for programs."""
        if self.as_json:
            self.problem("NotFound", text)
        else:
            self.say(text)

    def note(self, text: str | None) -> None:
        """Something to know beside the rows, on stderr, so that it is in nobody's pipe; None says nothing."""
        if text is not None:
            self.warn(f"Note: {text}")

    def flaw(self, text: str) -> None:
        """Something that is not as it should be, on stderr; the command then ends with the exit code 1."""
        self.flawed = True
        self.warn(f"WARNING: {text}")

    def say(self, text: str) -> None:
        """A sentence for people; programs do not get it."""
        if not self.as_json:
            self.console.print(Text(one_line(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """A sentence on stderr, with ``--json`` an object: programs that read the output are not disturbed by it."""
        if self.as_json:
            print(json.dumps({"warning": text}), file=sys.stderr)  # noqa: T201
        else:
            self.progress.print(Text(one_line(text)), soft_wrap=True)

    def warn_once(self, text: str) -> None:
        """As :meth:`warn`, but only the first of several that say the same of different things."""
        if not self._warned:
            self._warned = True
            self.warn(text)


def shown_time(moment: datetime) -> str:
    """To the last digit, so that it means the same when it is typed again."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', precision)}Z"


def _aligned(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    columns = [[cell_len(text) for text in column] for column in zip(*lines, strict=True)]
    widths = [max((size for size in column if size <= _WIDEST), default=0) for column in columns]
    for line in lines:
        cells = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return shown_time(value)
    if column in ("bytes", "size") and isinstance(value, int):
        return human_bytes(value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A name may hold anything, also what would move a terminal's cursor or look like two columns.
    return visible(text)
