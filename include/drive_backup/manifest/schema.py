"""A row of the catalogue, as what happened to an item and as the values of its columns, which ``tables.py`` has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence, Set  # noqa: PYI025 - the abstract one
from datetime import datetime
from typing import Any

import msgspec

from include.drive_backup.blob.names import TRASH
from include.drive_backup.manifest.versions import described, mixture, versions_of, without_replaced
from include.drive_backup.model import (
    DETAILS,
    CopyResult,
    Detail,
    Item,
    Outcome,
    PlanRow,
    Refused,
    StoredContent,
    Struct,
)

_NOT_COPIED = "Its batch did not finish; clear the batch's task, or run the backup again."

_LEAST_FIRST = ("head-later", "earlier", "revision", "unavailable", "unproven")
#: Reasons of failed items whose content Drive was not asked for, or gave.
_NOT_TRIED = frozenset({"notCopied", "dailyBudget", "dailyLimitExceeded", "blobMissing"})


class CatalogueRow(Struct, frozen=True):
    """One item of a snapshot. ``details`` were saved, others ``refused``; they have a table of their own.

    ``failed_since`` is the instant of the first snapshot in a row in which the same content was tried and failed.
    """

    item: Item
    path: str
    outcome: Outcome
    fidelity: str = "exact"
    reason: str | None = None
    message: str | None = None
    contents: tuple[StoredContent, ...] = ()
    details: tuple[Detail, ...] = ()
    refused: dict[Detail, Refused] = {}
    failed_since: datetime | None = None

    @property
    def stored_bytes(self) -> int:
        """Bytes of all its contents in Blob."""
        return sum(content.size for content in self.contents)


def merge(row: PlanRow, results: Sequence[CopyResult], missing: Set[str], instant: datetime) -> CatalogueRow:
    """What became of an item: the plan's word, and what its batch did.

    :param results: of this item's orders, one per format; those for details say what was saved without its values.
    :param missing: blobs that are not in the container as they should be.
    :param instant: T of the snapshot.
    """
    told = next((result for result in results if result.format == DETAILS), None)
    results = [result for result in results if result.format != DETAILS]
    row = without_replaced(row, results)
    contents = (*row.contents, *(result.content for result in results if result.content is not None))
    kept = tuple(content for content in contents if content.blob not in missing)
    versions = [version for version in versions_of(row, results) if version.content.blob not in missing]
    outcome, reason, message = _outcome(row, results, kept, [each.blob for each in contents if each.blob in missing])
    if outcome != "failed" and row.details and (told is None or told.outcome == "failed"):
        outcome, reason, message = "failed", *_why_no_details(told)
    fidelity = _fidelity(row, results)
    if mixed := mixture(versions):
        fidelity, message = "head-later", f"{message} {mixed}" if message else mixed
    if fidelity == "exact" and row.place_later is not None:
        fidelity, message = "place-later", message or row.place_later
    return CatalogueRow(
        item=described(row, results, versions),
        path=row.path,
        outcome=outcome,
        fidelity="unavailable" if outcome in ("unavailable", "failed") and not kept else fidelity,
        reason=reason,
        message=message,
        contents=kept,
        details=_saved_details(row, told),
        refused=told.refused if told else {},
        failed_since=_failed_since(row, outcome, reason, instant),
    )


def _failed_since(row: PlanRow, outcome: Outcome, reason: str | None, instant: datetime) -> datetime | None:
    """A night on which a batch does not come to an item changes nothing: it is still failing, or still new."""
    if outcome != "failed" or reason == "blobMissing":
        return None
    return row.failed_since or (None if reason in _NOT_TRIED else instant)


def _fidelity(row: PlanRow, results: Sequence[CopyResult]) -> str:
    """The least true one of all contents; the plan's word for those that it found."""
    found = {result.fidelity for result in results if result.content is not None}
    if row.contents:
        found.add(row.fidelity)
    if not found:
        found = {result.fidelity for result in results} or {row.fidelity}
    return next((each for each in _LEAST_FIRST if each in found), "exact")


def _saved_details(row: PlanRow, told: CopyResult | None) -> tuple[Detail, ...]:
    if told is None or told.outcome == "failed":
        return ()
    return tuple(detail for detail in row.details if detail not in told.refused)


def _why_no_details(told: CopyResult | None) -> tuple[str | None, str | None]:
    if told is None:
        return "notCopied", _NOT_COPIED
    return told.reason, f"What was to be saved beside its content could not be had. {told.message}"


def _outcome(
    row: PlanRow, results: Sequence[CopyResult], kept: Sequence[StoredContent], missing: Sequence[str]
) -> tuple[Outcome, str | None, str | None]:
    if missing:
        return "failed", "blobMissing", f"{missing[0]} is not in the container as it was written; run the backup again."
    for result in results:
        if result.outcome == "failed":
            return "failed", result.reason, result.message
    if len(results) < row.copies:
        return "failed", "notCopied", _NOT_COPIED
    if row.copies:
        refused = next((result for result in results if result.outcome == "unavailable"), None)
        # Of several export formats one may be refused (too large); what there is can be restored.
        new = any(result.content and not result.stored for result in results)
        outcome: Outcome = "copied" if new else "unchanged"
        if not kept:
            outcome = "unavailable"
        return (outcome, refused.reason, refused.message) if refused else (outcome, None, _said(results))
    if row.outcome is None:
        raise ValueError(f"The plan decided nothing for {row.item.id}.")
    return row.outcome, row.reason, row.message


def _said(results: Sequence[CopyResult]) -> str | None:
    return next((result.message for result in results if result.message), None)


def record(row: CatalogueRow) -> dict[str, object]:
    """A row as the values of :data:`.tables.SCHEMA`."""
    item = row.item
    return {
        "item_id": item.id,
        "path": row.path,
        "name": text(item.name),
        "kind": item.kind,
        "mime_type": text(item.mime_type),
        "size": item.size,
        "created": item.created,
        "modified": item.modified,
        "md5": item.md5,
        "sha256": item.sha256,
        "parents": list(item.parents),
        "owner": item.owner,
        "drive_version": item.version,
        "head_revision_id": item.head_revision_id,
        "outcome": row.outcome,
        "fidelity": row.fidelity,
        "reason": row.reason,
        "message": None if row.message is None else text(row.message),
        "failed_since": row.failed_since,
        "trashed": row.path.startswith(f"{TRASH}/"),
        "contents": [msgspec.to_builtins(content) for content in row.contents],
        "resource": json_text(item.resource),
    }


def detail_records(result: CopyResult) -> Iterator[dict[str, object]]:
    """The rows of :data:`.tables.DETAILS_SCHEMA` of one item."""
    nothing = dict.fromkeys(("entries", "value", "reason", "message"))
    for detail, value in result.details.items():
        said = {"entries": len(value), "value": json_text(value)}
        yield {"item_id": result.item_id, "detail": detail, **nothing, **said}
    for detail, why in result.refused.items():
        said = {"reason": why.reason, "message": text(why.message)}
        yield {"item_id": result.item_id, "detail": detail, **nothing, **said}


def row_of(values: dict[str, Any]) -> CatalogueRow:
    """The inverse of :func:`record`.

    :param values: all columns of one row.
    """
    item = Item.from_resource({"id": values["item_id"], **json.loads(values["resource"])})
    # Name and place are the columns': the resource may be of a later moment, see _as_copied.
    name = item.name if text(item.name) == values["name"] else values["name"]
    return CatalogueRow(
        item=msgspec.structs.replace(item, name=name, parents=tuple(values["parents"] or ())),
        path=values["path"],
        outcome=values["outcome"],
        fidelity=values["fidelity"],
        reason=values["reason"],
        message=values["message"],
        contents=msgspec.convert(values["contents"] or [], tuple[StoredContent, ...]),
        failed_since=values["failed_since"],
    )


def text(name: str) -> str:
    """Text that UTF-8 can hold."""
    # Parquet holds UTF-8; a lone surrogate, which JSON can carry, is not. The resource column keeps it as \\ud800.
    return name.encode("utf-8", "replace").decode("utf-8")


def json_text(value: object) -> str:
    """JSON that may hold lone surrogates."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        # msgspec refuses lone surrogates; escaped, they are JSON.
        return json.dumps(value, ensure_ascii=True)
