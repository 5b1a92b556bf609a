"""Where concrete meets abstract: Airflow connections become the parts that the core works with.

Imports are inside the functions: the Azure SDK costs each task process about a second, and some tasks need none of it.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from include.drive_backup.clock import SystemClock
from include.drive_backup.ports import BlobStore, Drive


@asynccontextmanager
async def open_store(blob_conn_id: str, container: str) -> AsyncIterator[BlobStore]:
    """The Blob container behind a ``wasb`` connection."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    async with DriveBackupBlobHook(blob_conn_id, container).store() as store:
        yield store


async def storage_account_id(blob_conn_id: str) -> str | None:
    """Azure's id of the storage account behind a ``wasb`` connection, if the connection has it."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    return await DriveBackupBlobHook(blob_conn_id).resource_id()


@asynccontextmanager
async def open_drive(
    gcp_conn_id: str,
    subject: str | None = None,
    *,
    units_per_minute: float | None = 325_000,
    attempts: int = 6,
    acknowledge_abuse: bool = False,
) -> AsyncIterator[Drive]:
    """Google Drive behind a ``google_cloud_platform`` connection.

    :param subject: e-mail address of the user to act as; None: the connection's own.
    :param units_per_minute: quota units that may be spent.
    :param attempts: tries of one request.
    :param acknowledge_abuse: download files that Drive flags as malware, where the owner may.
    """
    from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
    from include.drive_backup.drive.client import DriveSettings
    from include.drive_backup.pacing import QuotaLimiter

    clock = SystemClock()
    limiter = QuotaLimiter(clock, units_per_minute=units_per_minute)
    settings = DriveSettings(attempts=attempts, acknowledge_abuse=acknowledge_abuse)
    hook = GoogleDriveBackupHook(gcp_conn_id, subject)
    async with hook.get_drive(limiter=limiter, settings=settings, clock=clock) as drive:
        yield drive
