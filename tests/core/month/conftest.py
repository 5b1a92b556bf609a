"""A server for the months of real processes."""

from tests.support.cloud import azurite  # noqa: F401
