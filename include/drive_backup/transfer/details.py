"""What Drive keeps beside one item. A refusal is a fact about that detail, and the others are still asked for."""

from __future__ import annotations

from typing import Any

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
    )


def answers(result: CopyResult, order: CopyOrder) -> bool:
    """Whether an earlier try's result is one for this order."""
    return result.outcome != "failed" and {*result.details, *result.refused} == {*order.details}
