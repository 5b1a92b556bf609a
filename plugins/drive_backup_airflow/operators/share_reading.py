"""Airflow maps over one list: put those of all sources together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from include.drive_backup.verification.batches import CheckedGroup

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Airflow maps over no more (``[core] max_map_length``) than 1,024 by default.
_MOST = 1_000


class ShareReadingOperator(DriveBackupOperator):
    """Deals the batches of contents that are to be read again out to tasks.

    :param checked: dicts of :class:`~include.drive_backup.verification.batches.CheckedGroup`.
    """

    template_fields = ("checked",)

    def __init__(self, *, checked: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checked = checked

    async def run(self, context: Context, stop: asyncio.Event) -> list[dict[str, Any]]:  # noqa: ARG002
        """Share; returns what each task reads."""
        groups = [CheckedGroup.from_dict(each) for each in self.checked or ()]
        batches = [batch for group in groups for batch in group.batches]
        count = min(_MOST, len(batches))
        shares = [batches[number::count] for number in range(count)]
        return [
            {"batches": [each.to_dict() for each in share], "label": share[0].label + (" …" if share[1:] else "")}
            for share in shares
        ]
