"""Servers for the tests of Airflow's side, and an Airflow home of their own."""

from __future__ import annotations

import pytest

from tests.support.cloud import (
    azurite,
    azurite_container,
    event_hub,
    eventhubs_server,
    keyvault_server,
    shared_eventhubs,
)

__all__ = ["azurite", "azurite_container", "event_hub", "eventhubs_server", "keyvault_server", "shared_eventhubs"]


@pytest.fixture(autouse=True)
def _fresh_secrets(monkeypatch, tmp_path):
    """No test sees another's secrets backend, nor the user's own Airflow home."""
    from airflow.sdk.configuration import clear_secrets_backends_cache

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    clear_secrets_backends_cache()
    yield
    clear_secrets_backends_cache()
