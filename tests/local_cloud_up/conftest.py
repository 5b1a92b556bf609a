from tests.support.cloud import azurite, azurite_container

__all__ = ["azurite", "azurite_container"]
