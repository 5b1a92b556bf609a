"""What Airflow must be told of. The only file that the plugin loader sees (``.airflowignore`` hides the package)."""

from __future__ import annotations

from airflow.sdk.plugins_manager import AirflowPlugin

from drive_backup_airflow import listener, marked_failed
from drive_backup_airflow.links import ContainerLink, ManifestLink


class DriveBackupPlugin(AirflowPlugin):
    """What Airflow cannot find by itself.

    The links are listed on the Plugins page (the operators carry them themselves); the listeners make the pool, and
    alert when somebody marks a run failed.
    """

    name = "drive_backup"
    operator_extra_links = [ManifestLink(), ContainerLink()]
    listeners = [listener, marked_failed]
