"""Servers for the tests of the shared quota."""

from tests.support.cloud import azurite, azurite_container  # noqa: F401
