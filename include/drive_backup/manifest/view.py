"""What a reader sees of a snapshot, as one number: equal for two snapshots in which a reader sees no difference.

It serves to compare two looks at the same instant and is not stored: it is made of the rows that are to be written, and
of the rows that were.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.drive_backup.manifest.schema import json_text

#: The columns of the catalogue that a view is made of.
COLUMNS = [
    "item_id",
    "path",
    "name",
    "mime_type",
    "size",
    "modified",
    "parents",
    "outcome",
    "fidelity",
    "reason",
    "contents",
]
_STORED = ("copied", "unchanged", "known")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class View:
    """Feed it every row. A sum, so that the order of rows does not matter."""

    def __init__(self) -> None:
        self._sum = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self._sum == other._sum

    __hash__ = None  # type: ignore[assignment]

    def add(self, values: Mapping[str, Any]) -> None:
        """Take a row of the catalogue, as it is written or as it was read."""
        self._add(
            *(values[column] for column in ("item_id", "path", "name", "mime_type", "size")),
            _milliseconds(values["modified"]),
            sorted(values["parents"] or ()),
            "stored" if values["outcome"] in _STORED else values["outcome"],
            values["fidelity"],
            values["reason"],
            sorted((each["format"], each["blob"], each["sha256"]) for each in values["contents"] or ()),
        )

    def add_detail(self, values: Mapping[str, Any]) -> None:
        """Take a row of the details."""
        # Drive may give the keys of a resource in any order.
        value = None if values["value"] is None else json.dumps(json.loads(values["value"]), sort_keys=True)
        self._add("detail", values["item_id"], values["detail"], value, values["reason"])

    def _add(self, *facts: Any) -> None:
        self._sum += int.from_bytes(hashlib.sha256(json_text(facts).encode()).digest())


def _milliseconds(moment: datetime | None) -> int | None:
    """As Parquet keeps it."""
    return None if moment is None else int((moment - _EPOCH) / timedelta(milliseconds=1))
