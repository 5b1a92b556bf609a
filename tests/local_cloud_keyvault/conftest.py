from tests.support.cloud import keyvault_server

__all__ = ["keyvault_server"]
