"""Registers our connection type, so that Airflow's form and its Test button know it.

Airflow finds this through ``plugins/drive_backup_airflow-0.1.0.dist-info``: a folder on ``sys.path`` that holds such a
folder counts as an installed distribution. The form needs ``plugins`` in ``PYTHONPATH``, because the API server reads
the distributions before it adds the plugins folder itself; tasks need nothing. Imports nothing of ours: an error here
would hide every other provider.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """In the form of ``airflow/provider_info.schema.json``."""
    return {
        "package-name": "drive-backup-airflow",
        "name": "Drive Backup",
        "description": "Azure Event Hubs for Drive Backup",
        "connection-types": [
            {
                "connection-type": "azure_event_hubs",
                "hook-class-name": "drive_backup_airflow.hooks.eventhub.AzureEventHubsHook",
                "hook-name": "Azure Event Hubs",
                "ui-field-behaviour": {
                    "relabeling": {
                        "host": "Namespace",
                        "schema": "Event hub",
                        "login": "Client ID",
                        "password": "Connection string or client secret",
                    },
                    "placeholders": {
                        "host": "name.servicebus.windows.net (not needed with a connection string)",
                        "schema": "drive-backup",
                        "login": "only for a service principal",
                    },
                },
                "conn-fields": {
                    "tenant_id": _text("Tenant ID", "only for a service principal"),
                    "managed_identity_client_id": _text("Managed identity client ID", "of a user-assigned identity"),
                    "workload_identity_tenant_id": _text("Workload identity tenant ID", "for workload identity"),
                    "transport": {
                        "label": "Transport",
                        "description": "websocket uses port 443",
                        "schema": {"type": ["string", "null"], "enum": ["amqp", "websocket"], "default": "amqp"},
                    },
                },
            }
        ],
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
