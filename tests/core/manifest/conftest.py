"""Servers for the tests of the stored format."""

from tests.support.cloud import azurite  # noqa: F401
