"""Sums over the rows of a snapshot while they stream by: counts, bytes, reasons."""

from __future__ import annotations

import msgspec

from include.drive_backup.handover import Told
from include.drive_backup.manifest.manifest import Reason
from include.drive_backup.manifest.schema import CatalogueRow, text
from include.drive_backup.model import Detail, format_instant
from include.drive_backup.paths import shown_path

EXAMPLES = 5
#: Fidelities of rows that are not for certain as they were at the instant.
_NOT_OF_THEN = ("head-later", "earlier", "revision", "place-later", "unproven")
#: Sentences that are told apart; what is beyond is counted without one.
_MOST_TOLD = 50


def _shown(row: CatalogueRow) -> str:
    return shown_path(row.path, folder=row.item.kind == "folder")


class Tally:
    """Feed it every row.

    :param instant: T of the snapshot.
    """

    def __init__(self, instant: str) -> None:
        self._instant = instant
        self.items = 0
        self.copied_files = 0
        self.counts: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.fidelity: dict[str, int] = {}
        self.reasons: dict[str, Reason] = {}
        self.details: dict[Detail, int] = {}
        self._told: dict[tuple[str, str | None], Told] = {}

    def add(self, row: CatalogueRow) -> None:
        """Take a row."""
        self.items += 1
        self.copied_files += len(row.contents) if row.outcome == "copied" else 0
        self.counts[row.outcome] = self.counts.get(row.outcome, 0) + 1
        self.bytes[row.outcome] = self.bytes.get(row.outcome, 0) + row.stored_bytes
        self.fidelity[row.fidelity] = self.fidelity.get(row.fidelity, 0) + 1
        # Also of one export format that Drive refuses, while others are stored.
        if row.reason is not None or row.outcome in ("unavailable", "failed"):
            self._note(row.reason or row.outcome, row.message, _shown(row))
        if row.failed_since is not None:
            self._note_again(row.reason or row.outcome, format_instant(row.failed_since))
        if row.fidelity in _NOT_OF_THEN:
            self._tell(row)
        for detail in row.details:
            self.details[detail] = self.details.get(detail, 0) + 1
        for detail, why in row.refused.items():
            self._note(f"{detail}: {why.reason}", why.message, _shown(row))

    def _tell(self, row: CatalogueRow) -> None:
        key = (row.fidelity, None if row.message is None else text(row.message))
        if key not in self._told and len(self._told) >= _MOST_TOLD:
            key = (row.fidelity, None)
        known = self._told.get(key, Told(fidelity=row.fidelity, count=0, message=key[1]))
        examples = (*known.examples, _shown(row))[:EXAMPLES]
        self._told[key] = msgspec.structs.replace(known, count=known.count + 1, examples=examples)

    @property
    def told(self) -> tuple[Told, ...]:
        """What is not for certain as it was at the instant, the most frequent first."""
        return tuple(sorted(self._told.values(), key=lambda each: (-each.count, each.fidelity, each.message or "")))

    def _note(self, key: str, message: str | None, path: str) -> None:
        known = self.reasons.get(key, Reason(count=0))
        self.reasons[key] = msgspec.structs.replace(
            known,
            count=known.count + 1,
            message=known.message or (None if message is None else text(message)),
            examples=(*known.examples, path)[:EXAMPLES],
        )

    def _note_again(self, key: str, since: str) -> None:
        if since < self._instant:
            known = self.reasons[key]
            first = min(since, known.since or since)
            self.reasons[key] = msgspec.structs.replace(known, again=known.again + 1, since=first)

    @property
    def exact(self) -> int:
        """Items as they were at the instant."""
        return self.fidelity.get("exact", 0)
