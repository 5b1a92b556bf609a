"""Say what is damaged, and fail the run when it is news or matters today."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from drive_backup_airflow.events import emit_facts, emit_for_task_states
from drive_backup_airflow.facts import fact_of
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.report import bad_tasks, failed_text
from drive_backup_airflow.wiring import open_store
from include.drive_backup.errors import CorruptStoreError, SnapshotIncompleteError
from include.drive_backup.events.envelope import Fact
from include.drive_backup.verification.batches import CheckedGroup, ReadGroup
from include.drive_backup.verification.group import keep, tell
from include.drive_backup.verification.model import Damage
from include.drive_backup.verification.readable import headline, not_checked, summary

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportDamageOperator(DriveBackupOperator):
    """Runs last, whatever happened. Its log names every damaged file.

    :param checked: dicts of :class:`~include.drive_backup.verification.batches.CheckedGroup`.
    :param read: lists of dicts of :class:`~include.drive_backup.verification.batches.ReadGroup`.
    """

    template_fields = ("checked", "read")

    def __init__(self, *, checked: Any, read: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checked = checked
        self.read = read

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Report; raises when something is damaged. Damage is recorded after it was told."""
        checked = [CheckedGroup.from_dict(each) for each in self.checked or ()]
        read = [ReadGroup.from_dict(each) for share in self.read or () for each in share or ()]
        bad = bad_tasks(context)
        async with open_store(self.blob_conn_id, self.container) as store:
            damages = await tell(store, [each.found for each in (*checked, *read)])
            self._log(damages)
            self.log.info(summary(checked, read))
            alarming = [damage for damage in damages if damage.alarming]
            await emit_facts(_facts(context, alarming), **self.events)
            await emit_for_task_states(context, **self.events)
            await keep(store, damages, checked, whole=not bad, read=read)
        if alarming:
            raise CorruptStoreError(headline(alarming), reason="damaged")
        if bad:
            raise SnapshotIncompleteError(
                f"{failed_text(bad)} See their logs. What they were to check was not checked; the next run does it."
            )
        if lacks := not_checked(checked, read, named=bool(context["params"]["sources"])):
            raise SnapshotIncompleteError(lacks)
        return {"checked": sum(each.blobs for each in checked), "read": sum(each.read.blobs for each in read)}

    def _log(self, damages: Sequence[Damage]) -> None:
        for damage in damages:
            if damage.alarming:
                self.log.error("DAMAGED %s: %s", damage.source, damage)
            else:
                self.log.warning("known of before: %s: %s", damage.source, damage)


def _facts(context: Context, damages: Sequence[Damage]) -> list[Fact]:
    """One fact for each source."""
    if not damages:
        return []
    fact = fact_of("verify.damaged", context)
    by_source: dict[str, list[Damage]] = {}
    for damage in damages:
        by_source.setdefault(damage.source, []).append(damage)
    return [
        msgspec.structs.replace(fact, object=source, message=headline(found), counts={"damaged": len(found)})
        for source, found in by_source.items()
    ]
