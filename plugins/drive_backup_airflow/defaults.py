"""What the tasks of every DAG share: connections, container, retries, alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drive_backup_airflow.notifier import DriveBackupNotifier
from drive_backup_airflow.retry import RETRY_POLICY
from include.drive_backup.settings import Config


def default_args(config: Config, **own: Any) -> dict[str, Any]:
    """The ``default_args`` of a DAG.

    :param own: what is different in this one, or more.
    """
    limits, notify = config.limits, DriveBackupNotifier.factory(config)
    shared = {
        "owner": "drive-backup",
        "gcp_conn_id": config.connections.drive,
        "blob_conn_id": config.connections.blob,
        "event_hubs_conn_id": config.connections.events,
        "container": config.storage.container,
        "retries": limits.task_retries,
        "retry_delay": timedelta(seconds=limits.retry_delay_seconds),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=30),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(minutes=limits.batch_timeout_minutes),
        "on_retry_callback": notify("task.retried"),
        "on_failure_callback": notify("task.failed"),
    }
    return shared | own
