"""The rows of one table of a snapshot against what its manifest says of them: the numbers, and the digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from include.drive_backup.manifest.digest import Digest
from include.drive_backup.manifest.manifest import Manifest, Part


class Table:
    """One of the up to three tables of a snapshot, and what its rows come to. Feed it every row group.

    :param kind: ``items``, ``details`` or ``left``.
    """

    def __init__(self, kind: str, parts: Sequence[Part], digest: str) -> None:
        self.kind = kind
        self.parts = parts
        self.expected = digest
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.fidelity: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self._digest = Digest()

    def add(self, rows: pa.Table) -> None:
        """Take some rows, in order."""
        self.rows += rows.num_rows
        self._digest.add(rows)
        self._count(rows)

    def _count(self, rows: pa.Table) -> None:
        if self.kind == "items":
            self.counts.update(_counted(rows["outcome"]))
            self.fidelity.update(_counted(rows["fidelity"]))
            for outcome, size in _sizes(rows):
                self.bytes[outcome] += size or 0
        elif self.kind == "left":
            self.counts.update(_counted(rows["state"]))
        else:
            self.counts.update(_counted(rows["detail"].filter(pc.is_valid(rows["value"]))))

    @property
    def digest(self) -> str:
        """The digest of all rows."""
        return self._digest.hex


def tables_of(manifest: Manifest) -> list[Table]:
    """The tables of a snapshot."""
    tables = [Table("items", manifest.parts, manifest.digest)]
    for kind, beside in (("details", manifest.details), ("left", manifest.left)):
        if beside is not None:
            tables.append(Table(kind, beside.parts, beside.digest))
    return tables


def adds_up(manifest: Manifest) -> bool:
    """Whether a manifest agrees with itself."""
    failed = manifest.counts.get("failed", 0)
    whole = manifest.status == "complete"
    sums = (sum(part.rows for part in manifest.parts), sum(manifest.counts.values()), sum(manifest.fidelity.values()))
    return all(each == manifest.items for each in sums) and whole == (manifest.listing_complete and not failed)


def agrees(manifest: Manifest, table: Table) -> bool:
    """Whether the rows of a table come to what the manifest says."""
    if table.kind == "items":
        expected = (manifest.items, manifest.counts, manifest.fidelity, _but_zero(manifest.bytes))
        return expected == (table.rows, dict(table.counts), dict(table.fidelity), _but_zero(table.bytes))
    beside = manifest.details if table.kind == "details" else manifest.left
    return beside is not None and dict(beside.counts) == dict(table.counts)


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {each["values"]: each["counts"] for each in pc.value_counts(column).to_pylist()}


def _sizes(rows: pa.Table) -> list[tuple[str, int]]:
    """Outcome and bytes of each row's contents, summed by outcome."""
    contents = rows["contents"].combine_chunks()
    whose = pc.list_parent_indices(contents)
    sizes = pa.table({"outcome": rows["outcome"].take(whose), "size": contents.flatten().field("size")})
    summed = sizes.group_by("outcome").aggregate([("size", "sum")])
    return list(zip(summed["outcome"].to_pylist(), summed["size_sum"].to_pylist(), strict=True))


def _but_zero(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: count for key, count in counts.items() if count}
