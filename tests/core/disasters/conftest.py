"""Servers for the disasters that need real ones."""

from tests.support.cloud import azurite  # noqa: F401
