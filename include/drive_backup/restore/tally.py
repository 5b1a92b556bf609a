"""How many files, folders and shortcuts had which outcome, in words."""

from __future__ import annotations

from collections import Counter

from include.drive_backup.model import counted, human_bytes
from include.drive_backup.printing import visible
from include.drive_backup.restore.orders import RestoreOutcome, RestoreResult

_WORDS: dict[RestoreOutcome, str] = {
    "restored": "restored",
    "same": "there already with the same content",
    "skipped": "skipped, as asked",
    "left-out": "left out",
    "not-saved": "not, or not all, in the backup",
    "failed": "FAILED",
}
_EXAMPLES = 3
_NOUNS = {"folder": "folder", "shortcut": "shortcut"}


class Tally:
    """What a restore has done so far."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._bytes = 0
        self._changed = 0
        self._examples: list[str] = []

    def add(self, result: RestoreResult) -> None:
        """Count one result; each export of a document is a file."""
        self._counts[result.outcome, _NOUNS.get(result.kind, "file")] += 1
        self._bytes += result.bytes
        if result.renamed is not None:
            self._changed += 1
            self._examples += (
                [visible(f"'{result.renamed}' is '{result.target}'")] if self._changed <= _EXAMPLES else []
            )

    @property
    def changed_names(self) -> str:
        """How many names are not Drive's own, and the first ones, as a sentence; empty: none."""
        if not self._changed:
            return ""
        more = f" and {self._changed - _EXAMPLES:,} more" if self._changed > _EXAMPLES else ""
        were = "was" if self._changed == 1 else "were"
        return (
            f"{counted(self._changed, 'name')} {were} changed, since others have them or the place cannot hold them: "
            f"{', '.join(self._examples)}{more}; the result of each item tells."
        )

    def __str__(self) -> str:
        said = [f"{words}: {found}" for outcome, words in _WORDS.items() if (found := self._of(outcome))]
        return f"{'; '.join(said) or 'nothing to restore'}; {human_bytes(self._bytes)} written"

    def _of(self, outcome: str) -> str:
        nouns = ("file", "folder", "shortcut")
        return ", ".join(counted(count, noun) for noun in nouns if (count := self._counts[outcome, noun]))


def kinds_of(counts: Counter[str]) -> str:
    """``3 files and documents, 1 folder``.

    :param counts: of items, by their kind.
    """
    files = counts["file"] + counts["native"]
    named = ((files, "file"), (counts["folder"], "folder"), (counts["shortcut"], "shortcut"))
    return ", ".join(counted(count, noun) for count, noun in named if count) or "nothing"
