"""What Drive keeps beside one item. A refusal is a fact about that detail, and the others are still asked for."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from include.drive_backup.errors import ItemUnavailableError
from include.drive_backup.model import CopyOrder, CopyResult, Detail, Refused
from include.drive_backup.ports import Drive


async def save_details(drive: Drive, order: CopyOrder) -> CopyResult:
    """Carry out an order for details."""
    found: dict[Detail, list[dict[str, Any]]] = {}
    refused: dict[Detail, Refused] = {}
    for detail in order.details:
        try:
            found[detail] = await drive.details(order.item, detail)
        except ItemUnavailableError as error:
            refused[detail] = Refused(reason=error.reason, message=str(error))
    return CopyResult(
        item_id=order.item.id,
        format=order.format,
        outcome="unavailable" if refused else "copied",
        details=found,
        refused=refused,
        digest=_digest(found),
    )


def _digest(found: dict[Detail, list[dict[str, Any]]]) -> str:
    try:
        data = msgspec.json.encode(found, order="deterministic")
    except UnicodeEncodeError:
        # A lone surrogate, which msgspec cannot write.
        data = json.dumps(found, ensure_ascii=True, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def answers(result: CopyResult, order: CopyOrder) -> bool:
    """Whether an earlier try's result is one for this order."""
    return result.outcome != "failed" and {*result.details, *result.refused} == {*order.details}
