"""Where concrete meets abstract: Airflow connections become the parts that the core works with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from include.drive_backup.ports import BlobStore, Drive


@asynccontextmanager
async def open_store(blob_conn_id: str, container: str) -> AsyncIterator[BlobStore]:
    """The Blob container behind a ``wasb`` connection."""
    from drive_backup_airflow.hooks.blob import DriveBackupBlobHook

    async with DriveBackupBlobHook(blob_conn_id, container).store() as store:
        yield store
