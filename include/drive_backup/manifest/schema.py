"""The catalogue's columns. docs/format.md explains them to people who read it without us."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from include.drive_backup.model import CopyResult, Item, Outcome, PlanRow, StoredContent, Struct

_MS = pa.timestamp("ms", tz="UTC")

CONTENT = pa.struct(
    [
        ("blob", pa.string()),
        ("format", pa.string()),
        ("mime_type", pa.string()),
        ("size", pa.int64()),
        ("md5", pa.string()),
        ("sha256", pa.string()),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("mime_type", pa.string(), nullable=False),
        ("size", pa.int64()),
        ("created", _MS),
        ("modified", _MS),
        ("md5", pa.string()),
        ("sha256", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("owner", pa.string()),
        ("drive_version", pa.string()),
        ("head_revision_id", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("fidelity", pa.string(), nullable=False),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("contents", pa.list_(CONTENT)),
        pa.field("resource", pa.string(), nullable=False),
    ]
)


class CatalogueRow(Struct, frozen=True):
    """One item of a snapshot."""

    item: Item
    path: str
    outcome: Outcome
    fidelity: str = "exact"
    reason: str | None = None
    message: str | None = None
    contents: tuple[StoredContent, ...] = ()

    @property
    def stored_bytes(self) -> int:
        """Bytes of all its contents in Blob."""
        return sum(content.size for content in self.contents)


def merge(row: PlanRow, results: list[CopyResult], missing: set[str]) -> CatalogueRow:
    """What became of an item: the plan's word, and what its batch did.

    :param results: of this item's copies, one per format.
    :param missing: blobs that are not in the container as they should be.
    """
    good = [result.content for result in results if result.content is not None]
    contents = (*row.contents, *good)
    item = row.item
    for result in results:
        if result.resource is not None:
            item = Item.from_resource(result.resource)
    fidelity = next((r.fidelity for r in results if r.fidelity != "exact"), row.fidelity)
    outcome, reason, message = _outcome(row, results, [c.blob for c in contents if c.blob in missing])
    contents = tuple(content for content in contents if content.blob not in missing)
    if outcome in ("unavailable", "failed") and not contents:
        fidelity = "unavailable"
    return CatalogueRow(
        item=item, path=row.path, outcome=outcome, fidelity=fidelity, reason=reason, message=message, contents=contents
    )


def _outcome(row: PlanRow, results: list[CopyResult], missing: list[str]) -> tuple[Outcome, str | None, str | None]:
    if missing:
        return "failed", "blobMissing", f"{missing[0]} is not in the container as it was written; run the backup again."
    bad = [result for result in results if result.outcome != "copied"]
    for result in sorted(bad, key=lambda each: each.outcome):  # failed before unavailable
        return result.outcome, result.reason, result.message
    if len(results) < row.copies:
        return "failed", "notCopied", "Its batch did not get to it; clear the batch's task, or run the backup again."
    if row.copies:
        return "copied", None, None
    if row.outcome is None:
        raise ValueError(f"The plan decided nothing for {row.item.id}.")
    return row.outcome, row.reason, row.message


def to_arrow(rows: list[CatalogueRow]) -> pa.Table:
    """Rows as a table of :data:`SCHEMA`."""
    return pa.Table.from_pylist([_record(row) for row in rows], schema=SCHEMA)


def _record(row: CatalogueRow) -> dict[str, object]:
    item = row.item
    owners = item.resource.get("owners") or [{}]
    return {
        "item_id": item.id,
        "path": row.path,
        "name": _text(item.name),
        "kind": item.kind,
        "mime_type": item.mime_type,
        "size": item.size,
        "created": item.created,
        "modified": item.modified,
        "md5": item.md5,
        "sha256": item.sha256,
        "parents": list(item.parents),
        "owner": owners[0].get("emailAddress"),
        "drive_version": item.version,
        "head_revision_id": item.head_revision_id,
        "outcome": row.outcome,
        "fidelity": row.fidelity,
        "reason": row.reason,
        "message": row.message,
        "contents": [msgspec.to_builtins(content) for content in row.contents],
        "resource": _json(item),
    }


def _text(name: str) -> str:
    # Parquet holds UTF-8; a lone surrogate, which JSON can carry, is not. The resource column keeps it as \\ud800.
    return name.encode("utf-8", "replace").decode("utf-8")


def _json(item: Item) -> str:
    try:
        return msgspec.json.encode(item.resource).decode()
    except (UnicodeEncodeError, msgspec.EncodeError):
        import json  # noqa: PLC0415 - escapes lone surrogates, which msgspec refuses

        return json.dumps(item.resource, ensure_ascii=True)
