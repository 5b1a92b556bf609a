from tests.support.cloud import event_hub, eventhubs_server, keyvault_server, shared_eventhubs

__all__ = ["event_hub", "eventhubs_server", "keyvault_server", "shared_eventhubs"]
