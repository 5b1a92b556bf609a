"""Copy one batch from Drive to Blob, or several small ones of different sources."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.locks import RunLocks
from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.retry import is_first_try
from drive_backup_airflow.wiring import open_shared_drive, open_store
from include.drive_backup.clock import StoreClock
from include.drive_backup.errors import DriveBackupError, StoppedError
from include.drive_backup.handover import BatchRef
from include.drive_backup.journal import raise_together
from include.drive_backup.model import Tier
from include.drive_backup.planning.copies import CopyTask, read_copies
from include.drive_backup.ports import BlobStore
from include.drive_backup.transfer.batch import copy_batch

if TYPE_CHECKING:
    from airflow.sdk import Context

_SUMMED = ("files", "copied", "stored", "unavailable", "failed", "details", "bytes", "downloaded")


class DriveToBlobBatchOperator(DriveBackupOperator):
    """Copies the content versions of its batches; a further try copies only what is missing.

    :param copies: a dict of :class:`~include.drive_backup.planning.copies.CopyTask`.
    :param quota: a dict of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    :param files_in_flight: how many files at once at most.
    :param memory_mb: for file contents, in MB.
    :param tier: of the content that is written; None: the account's default.
    :param acknowledge_abuse: download files that Drive flags as malware, where the owner may.
    """

    template_fields = ("copies",)

    def __init__(
        self,
        *,
        copies: dict[str, Any],
        quota: dict[str, Any] | None = None,
        attempts: int = 6,
        files_in_flight: int = 128,
        memory_mb: int = 96,
        tier: Tier | None = None,
        acknowledge_abuse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.copies = copies
        self.quota = quota
        self.attempts = attempts
        self.files_in_flight = files_in_flight
        self.memory_mb = memory_mb
        self.tier = tier
        self.acknowledge_abuse = acknowledge_abuse

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:
        """Copy one batch after the other, as its source's user; returns counts."""
        copies: CopyTask = CopyTask.from_dict(self.copies)
        resume, cleared = context["ti"].try_number > 1, is_first_try(context["ti"], self.retries or 0)
        done, errors = list[dict[str, Any]](), list[DriveBackupError]()
        async with open_store(self.blob_conn_id, self.container) as store:
            batches, locks = await read_copies(store, copies), RunLocks(store, context)
            for batch in batches:
                try:
                    async with locks.hold(batch.task):
                        done.append(await self._copy(store, batch, resume=resume, cleared=cleared, stop=stop))
                except StoppedError:
                    raise
                except DriveBackupError as error:
                    errors.append(error)
        raise_together(errors, f"{len(errors)} of {len(batches)} batches could not be copied")
        return done[0] if len(done) == 1 else _sums(done)

    async def _copy(
        self, store: BlobStore, batch: BatchRef, *, resume: bool, cleared: bool, stop: asyncio.Event
    ) -> dict[str, Any]:
        async with open_shared_drive(
            self.gcp_conn_id,
            store,
            batch.task,
            quota=self.quota or {},
            attempts=self.attempts,
            acknowledge_abuse=self.acknowledge_abuse,
        ) as drive:
            return await copy_batch(
                drive,
                store,
                batch,
                clock=await StoreClock.of(store),
                in_flight=self.files_in_flight,
                memory_bytes=self.memory_mb * 1_000_000,
                tier=self.tier,
                resume=resume,
                cleared=cleared,
                stop=stop,
            )


def _sums(results: list[dict[str, Any]]) -> dict[str, Any]:
    sums: Counter[str] = Counter(batches=len(results))
    for result in results:
        sums.update({name: result[name] for name in _SUMMED})
    return dict(sums)
