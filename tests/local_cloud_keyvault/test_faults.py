"""A vault that fails on demand."""

from __future__ import annotations

import time

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

pytestmark = pytest.mark.integration


class Vault:
    def __init__(self, server):
        self.url, self.ca = server.info["url"], server.info["ca_bundle"]
        options = {"verify_challenge_resource": False, "retry_total": 0}
        self.client = SecretClient(self.url, DefaultAzureCredential(), **options)
        self.client.set_secret("s", "x")

    def fault(self, **fault):
        return requests.post(f"{self.url}/_admin/faults", json=fault, verify=self.ca, timeout=10)

    def reset(self):
        requests.delete(f"{self.url}/_admin/faults", verify=self.ca, timeout=10).raise_for_status()

    def stats(self):
        return requests.get(f"{self.url}/_admin/stats", verify=self.ca, timeout=10).json()

    def status(self):
        try:
            self.client.get_secret("s")
        except HttpResponseError as error:
            return error.status_code
        return 200


@pytest.fixture
def vault(keyvault_server):
    vault = Vault(keyvault_server)
    yield vault
    vault.client.close()


@pytest.mark.parametrize(("kind", "status"), [("503", 503), ("403", 403), ("429", 429)])
def test_a_fault_lasts_for_as_many_requests_as_it_is_set_for(vault, kind, status):
    vault.fault(kind=kind, count=2)
    assert [vault.status() for _ in range(3)] == [status, status, 200]


def test_a_fault_without_a_count_lasts_until_it_is_reset(vault):
    vault.fault(kind="503")
    assert [vault.status() for _ in range(5)] == [503] * 5
    vault.reset()
    assert vault.status() == 200


def test_a_throttled_client_waits_as_long_as_it_is_told_and_then_succeeds(vault, keyvault_server):
    vault.fault(kind="429", count=1, retry_after=2)
    options = {"verify_challenge_resource": False}
    with SecretClient(vault.url, DefaultAzureCredential(), **options) as patient:
        began = time.monotonic()
        assert patient.get_secret("s").value == "x"
        assert 2 <= time.monotonic() - began < 6


def test_a_vault_that_hangs_is_left_at_the_clients_time_out_and_others_are_served(vault):
    vault.fault(kind="hang", count=1)
    with pytest.raises(ServiceResponseError):
        vault.client.get_secret("s", read_timeout=1)
    assert vault.status() == 200


def test_a_hanging_request_does_not_keep_the_vault_from_stopping(vault, keyvault_server):
    vault.fault(kind="hang", count=1)
    with pytest.raises(ServiceResponseError):
        vault.client.get_secret("s", read_timeout=1)
    began = time.monotonic()
    keyvault_server.stop()
    assert time.monotonic() - began < 5


def test_the_statistics_count_requests_answers_and_faults(vault):
    before = vault.stats()
    vault.fault(kind="503", count=1)
    vault.status()
    vault.status()
    after = vault.stats()
    assert after["GET"] - before.get("GET", 0) == 2
    assert (after["503"], after["fault 503"]) == (1, 1)


def test_a_fault_that_is_unknown_is_refused(vault):
    assert vault.fault(kind="earthquake").status_code == 400
    assert vault.status() == 200
