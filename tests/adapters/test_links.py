"""Links survive serialization, on mapped tasks too, and point where a person expects."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.definitions.operatorlink import XComOperatorLink
from airflow.serialization.serialized_objects import DagSerialization

from drive_backup_airflow import links
from drive_backup_airflow.links import LOCATION, ContainerLink, ManifestLink, push_location
from drive_backup_airflow.operators import commit_snapshot
from drive_backup_airflow.operators.commit_snapshot import CommitSnapshotOperator
from drive_backup_plugin import DriveBackupPlugin
from include.drive_backup.clock import SystemClock
from include.drive_backup.groups import SourceGroup

ACCOUNT = "/subscriptions/0000/resourceGroups/backup/providers/Microsoft.Storage/storageAccounts/saved"
PORTAL = "https://portal.azure.com/#view/Microsoft_Azure_Storage"
ENCODED = "%2Fsubscriptions%2F0000%2FresourceGroups%2Fbackup%2Fproviders%2FMicrosoft.Storage%2FstorageAccounts%2Fsaved"
CONTAINER = "https://saved.blob.core.windows.net/drive-backup"
MANIFEST = "snapshots/user/ann@example.com/default/20261123T000000.000Z/manifest.json"


class Writing(BaseOperator):
    operator_extra_links = (ManifestLink(), ContainerLink())

    def __init__(self, *, number: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context):
        return None


class XComs(dict):
    """Airflow's store for one task."""

    def xcom_push(self, key, value):
        self[key] = value

    def get_value(self, *, ti_key, key):
        return self.get(key)


@pytest.fixture
def xcoms(monkeypatch) -> XComs:
    store = XComs()
    monkeypatch.setattr(links, "XCom", store)
    return store


def link(kind, xcoms: XComs, **location) -> str:
    push_location({"ti": xcoms}, **location)
    return kind().get_link(None, ti_key=SimpleNamespace())


def test_with_the_resource_id_both_open_azure_portal(xcoms):
    location = {"container_url": CONTAINER, "manifest": MANIFEST, "resource_id": ACCOUNT}
    assert link(ContainerLink, xcoms, **location) == (
        f"{PORTAL}/ContainerMenuBlade/~/overview/storageAccountId/{ENCODED}/path/drive-backup"
    )
    assert link(ManifestLink, xcoms, **location) == (
        f"{PORTAL}/BlobPropertiesBladeV2/storageAccountId/{ENCODED}/path/drive-backup%2Fsnapshots%2Fuser%2F"
        "ann%40example.com%2Fdefault%2F20261123T000000.000Z%2Fmanifest.json/isDeleted~/false/tabToload~/0"
    )


def test_without_it_the_manifest_is_its_own_url_without_any_signature(xcoms):
    url = link(ManifestLink, xcoms, container_url=CONTAINER + "?sv=1&sig=secret", manifest=MANIFEST)
    assert url == f"{CONTAINER}/snapshots/user/ann%40example.com/default/20261123T000000.000Z/manifest.json"


@pytest.mark.parametrize("url", [CONTAINER, "http://127.0.0.1:10000/account/drive-backup"])
def test_without_it_there_is_no_link_to_the_container_rather_than_a_wrong_one(url, xcoms):
    assert link(ContainerLink, xcoms, container_url=url) == ""


@pytest.mark.parametrize(
    ("host", "portal"),
    [("chinacloudapi.cn", "portal.azure.cn"), ("usgovcloudapi.net", "portal.azure.us")],
)
def test_a_national_cloud_has_a_portal_of_its_own(host, portal, xcoms):
    url = f"https://saved.blob.core.{host}/drive-backup"
    assert link(ContainerLink, xcoms, container_url=url, resource_id=ACCOUNT).startswith(f"https://{portal}/#view/")


async def test_the_commit_links_to_the_account_that_its_connection_names(xcoms, monkeypatch):
    connection = {"conn_type": "wasb", "login": "saved", "password": "c2VjcmV0", "extra": {"resource_id": ACCOUNT}}
    monkeypatch.setenv("AIRFLOW_CONN_BLOB_TEST", json.dumps(connection))
    listing = SimpleNamespace(task=SimpleNamespace(dry_run=False))

    async def planned(*_):
        return [SimpleNamespace(listing=listing)]

    async def committed(*_):
        return [{"manifest": MANIFEST, "created": False}], []

    monkeypatch.setattr(commit_snapshot, "read_plans", planned)

    async def asked(*_):
        return SystemClock()

    monkeypatch.setattr(commit_snapshot, "commit_group", committed)
    monkeypatch.setattr(commit_snapshot.StoreClock, "of", asked)
    group = SourceGroup(work="work", number=1, of=1, parts=1, sources=1, label="user/ann@example.com").to_dict()
    task = CommitSnapshotOperator(task_id="commit_snapshot", group=group, plans="plan", blob_conn_id="blob_test")
    await task.run({"ti": xcoms}, None)
    assert f"storageAccountId/{ENCODED}/path/drive-backup" in ContainerLink().get_link(task, ti_key=SimpleNamespace())


@pytest.mark.parametrize("kind", [ManifestLink, ContainerLink])
@pytest.mark.parametrize("stored", [None, "text"])
def test_a_task_that_wrote_nothing_has_no_link(kind, stored, xcoms):
    xcoms[LOCATION] = stored
    assert kind().get_link(None, ti_key=SimpleNamespace()) == ""


def test_the_api_server_reads_xcoms_and_never_runs_our_code():
    """It has no task context: a link object of ours there would fail on every page of the task."""
    with DAG("links", schedule=None) as dag:
        Writing(task_id="one")
        Writing.partial(task_id="many").expand(number=[1, 2])
    restored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    for task in restored.tasks:
        found = {each.name: each for each in task.operator_extra_links}
        assert set(found) == {"Open manifest", "Open container in Azure Portal"}
        assert {type(each) for each in found.values()} == {XComOperatorLink}
        # A link that names operators would be put in the place of the reader once the plugin is loaded.
        assert [each.operators for each in DriveBackupPlugin.operator_extra_links] == [[], []]
        assert found["Open manifest"].xcom_key == "_link_ManifestLink"
