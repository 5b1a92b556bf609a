"""Where concrete meets abstract: Airflow connections become the parts that the core works with.

Imports are inside the functions: the Azure SDK costs each task process about a second, and some tasks need none of it.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from include.drive_backup.clock import StoreClock, SystemClock
from include.drive_backup.handover import SourceTask
from include.drive_backup.ports import BlobStore, Directory, Drive, TargetStore

if TYPE_CHECKING:
    from include.drive_backup.drive.source import GoogleDrive


@asynccontextmanager
async def open_store(blob_conn_id: str, container: str) -> AsyncIterator[BlobStore]:
    """The Blob container behind a ``wasb`` connection."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    async with DriveBackupBlobHook(blob_conn_id, container).store() as store:
        yield store


@asynccontextmanager
async def open_target_store(blob_conn_id: str, container: str) -> AsyncIterator[TargetStore]:
    """The container to restore into, behind a ``wasb`` connection."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    async with DriveBackupBlobHook(blob_conn_id, container).target() as store:
        yield store


async def storage_account_id(blob_conn_id: str) -> str | None:
    """Azure's id of the storage account behind a ``wasb`` connection, if the connection has it."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    return await DriveBackupBlobHook(blob_conn_id).resource_id()


def directory(gcp_conn_id: str, *, attempts: int = 6) -> Directory:
    """The organisation behind a ``google_cloud_platform`` connection.

    :param attempts: tries of one request.
    """
    from drive_backup_airflow.hooks.directory import GoogleDirectoryHook
    from include.drive_backup.drive.client import DriveSettings

    return GoogleDirectoryHook(gcp_conn_id, clock=SystemClock(), settings=DriveSettings(attempts=attempts))


@asynccontextmanager
async def open_drive(
    gcp_conn_id: str,
    subject: str | None = None,
    *,
    attempts: int = 6,
) -> AsyncIterator[Drive]:
    """Google Drive behind a ``google_cloud_platform`` connection, for some calls that need no budget.

    :param subject: e-mail address of the user to act as; None: the connection's own.
    :param attempts: tries of one request.
    """
    from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
    from include.drive_backup.drive.client import DriveSettings

    hook = GoogleDriveBackupHook(gcp_conn_id, subject)
    async with hook.get_drive(settings=DriveSettings(attempts=attempts)) as drive:
        yield drive


@asynccontextmanager
async def open_shared_drive(
    gcp_conn_id: str,
    store: BlobStore,
    task: SourceTask,
    *,
    quota: Mapping[str, Any],
    attempts: int = 6,
    acknowledge_abuse: bool = False,
) -> AsyncIterator[Drive]:
    """The Drive of a run's source, within the quota that all tasks share, and with the books kept.

    :param quota: fields of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    :param attempts: tries of one request.
    :param acknowledge_abuse: download files that Drive flags as malware, where the owner may.
    """
    from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
    from include.drive_backup.drive.client import DriveSettings
    from include.drive_backup.quota.settings import QuotaSettings
    from include.drive_backup.quota.shared import SharedQuota
    from include.drive_backup.spent import recorded

    # The token's end is told by this machine's clock, so Drive's client has that one.
    clock = SystemClock()
    settings = DriveSettings(attempts=attempts, acknowledge_abuse=acknowledge_abuse)
    hook = GoogleDriveBackupHook(gcp_conn_id, task.subject)
    user = await hook.acts_as() or ""
    async with (
        SharedQuota(store, QuotaSettings.from_dict(dict(quota)), await StoreClock.of(store), user=user) as shared,
        hook.get_drive(limiter=shared.limiter, settings=settings, clock=clock, stands_for=task.address) as drive,
        recorded(drive, store, task, clock),
    ):
        yield drive


@asynccontextmanager
async def open_restore_drive(
    gcp_conn_id: str, store: BlobStore, subject: str | None, *, quota: Mapping[str, Any], attempts: int = 6
) -> AsyncIterator[GoogleDrive]:
    """Drive with the right to write, within the quota that all tasks share.

    :param subject: e-mail address of the user to act as; None: the connection's own.
    :param quota: fields of :class:`~include.drive_backup.quota.settings.QuotaSettings`.
    """
    from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
    from include.drive_backup.drive.client import DriveSettings
    from include.drive_backup.drive.errors import WRITE_SCOPE
    from include.drive_backup.quota.settings import QuotaSettings
    from include.drive_backup.quota.shared import SharedQuota

    clock = SystemClock()
    hook = GoogleDriveBackupHook(gcp_conn_id, subject, WRITE_SCOPE)
    user = await hook.acts_as() or ""
    async with (
        SharedQuota(store, QuotaSettings.from_dict(dict(quota)), clock, user=user) as shared,
        hook.get_drive(limiter=shared.limiter, settings=DriveSettings(attempts=attempts), clock=clock) as drive,
    ):
        yield drive
