"""Servers for the contract tests."""

from tests.support.cloud import azurite  # noqa: F401
