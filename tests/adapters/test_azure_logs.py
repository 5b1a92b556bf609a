"""At Airflow's level a task's log has no lines of the Azure SDKs about tokens and requests."""

import json
import logging

import pytest

from drive_backup_airflow.hooks.blob import DriveBackupBlobHook
from drive_backup_airflow.vault import get_connection_or_explain

NAMES = ("azure.identity", "azure.core.pipeline.policies.http_logging_policy")


@pytest.fixture(autouse=True)
def levels():
    before = {name: logging.getLogger(name).level for name in NAMES}
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def connection(monkeypatch):
    fields = {"conn_type": "wasb", "login": "account", "host": "https://account.blob.core.windows.net"}
    monkeypatch.setenv("AIRFLOW_CONN_BLOB_TEST", json.dumps(fields))


async def test_who_opens_blob_storage_does_not_hear_of_tokens(connection):
    async with DriveBackupBlobHook("blob_test").store():
        assert [logging.getLogger(name).getEffectiveLevel() for name in NAMES] == [logging.WARNING] * 2


def test_who_asks_for_a_connection_does_not_either(connection):
    get_connection_or_explain("blob_test")
    assert [logging.getLogger(name).getEffectiveLevel() for name in NAMES] == [logging.WARNING] * 2


def test_a_level_that_somebody_set_is_kept(connection):
    logging.getLogger(NAMES[0]).setLevel(logging.DEBUG)
    get_connection_or_explain("blob_test")
    assert logging.getLogger(NAMES[0]).level == logging.DEBUG
