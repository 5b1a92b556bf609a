from tests.support.cloud import azurite  # noqa: F401
