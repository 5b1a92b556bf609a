"""Links on a task: its manifest, and its container in Azure Portal.

Airflow 3.3 calls ``get_link`` in the task process when the task ends, and stores the result under ``xcom_key``; the API
server only reads that (``XComOperatorLink``). A link that named its ``operators`` would replace that reader and run in
the API server, which has no way to ask for XComs (``OperatorSerialization.populate_operator``). So operators carry
these links in ``operator_extra_links``, and the links name no operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

#: XCom key under which a task says where it wrote.
LOCATION = "drive_backup_location"

#: The portals of Azure's national clouds, by the end of their Blob hosts.
_NATIONAL = {".chinacloudapi.cn": "portal.azure.cn", ".usgovcloudapi.net": "portal.azure.us"}


def push_location(
    context: Context, *, container_url: str, manifest: str | None = None, resource_id: str | None = None
) -> None:
    """Give the links something to point at. Call it in ``execute``.

    :param container_url: such as ``https://account.blob.core.windows.net/drive-backup``, without a SAS.
    :param manifest: blob name of the manifest.
    :param resource_id: Azure's id of the storage account, ``/subscriptions/…``; Azure Portal needs it.
    """
    location = {"container_url": container_url, "manifest": manifest, "resource_id": resource_id}
    context["ti"].xcom_push(key=LOCATION, value=location)


class _Link(BaseOperatorLink):
    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The URL, or nothing when the task has not said where it wrote."""
        location = XCom.get_value(ti_key=ti_key, key=LOCATION)
        return self.url(location) if isinstance(location, dict) else ""

    def url(self, location: dict[str, Any]) -> str:
        """The URL for what :func:`push_location` stored."""
        raise NotImplementedError


class ManifestLink(_Link):
    """The manifest: in Azure Portal when the storage account's resource id is known, else by its own URL."""

    @property
    def name(self) -> str:
        """Text of the button."""
        return "Open manifest"

    def url(self, location: dict[str, Any]) -> str:
        """The blob's page in Azure Portal, or the blob itself."""
        manifest = location.get("manifest")
        if not manifest:
            return ""
        account = location.get("resource_id")
        if not account:
            return f"{_without_query(location['container_url'])}/{quote(manifest)}"
        path = quote(f"{_container(location)}/{manifest}", safe="")
        page = f"BlobPropertiesBladeV2/storageAccountId/{quote(account, safe='')}/path/{path}"
        return f"{_portal(location)}/{page}/isDeleted~/false/tabToload~/0"


class ContainerLink(_Link):
    """The container in Azure Portal, when the storage account's resource id is known; a guess would mislead."""

    @property
    def name(self) -> str:
        """Text of the button."""
        return "Open container in Azure Portal"

    def url(self, location: dict[str, Any]) -> str:
        """The container's page."""
        account = location.get("resource_id")
        if not account:
            return ""
        page = f"ContainerMenuBlade/~/overview/storageAccountId/{quote(account, safe='')}"
        return f"{_portal(location)}/{page}/path/{quote(_container(location), safe='')}"


def _portal(location: dict[str, Any]) -> str:
    host = urlsplit(location["container_url"]).hostname or ""
    portal = next((portal for end, portal in _NATIONAL.items() if host.endswith(end)), "portal.azure.com")
    return f"https://{portal}/#view/Microsoft_Azure_Storage"


def _container(location: dict[str, Any]) -> str:
    return str(_without_query(location["container_url"]).rstrip("/").rpartition("/")[2])


def _without_query(url: str) -> str:
    return url.partition("?")[0].rstrip("/")
