"""Servers for the tests of what is deployed."""

from __future__ import annotations

from tests.support.cloud import keyvault_server

__all__ = ["keyvault_server"]
