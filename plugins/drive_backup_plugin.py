"""What Airflow must be told of. The only file that the plugin loader sees (``.airflowignore`` hides the package)."""

from __future__ import annotations

from airflow.sdk.plugins_manager import AirflowPlugin

from drive_backup_airflow import listener
from drive_backup_airflow.links import ContainerLink, ManifestLink


class DriveBackupPlugin(AirflowPlugin):
    """Links (listed on the Plugins page; the operators carry them themselves) and the listener that makes the pool."""

    name = "drive_backup"
    operator_extra_links = [ManifestLink(), ContainerLink()]
    listeners = [listener]
