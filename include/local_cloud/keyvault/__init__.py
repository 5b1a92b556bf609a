"""Key Vault and a managed identity on loopback, over HTTPS with a certificate authority of their own.

``identity`` hands out tokens as Azure App Service does, ``vault`` checks them and keeps secrets as Key Vault does, and
``faults`` makes it fail on demand.

Sources: the Key Vault REST reference (secrets, 2026-04-01 and 7.x); "REST endpoint reference" of managed identities for
App Service; what ``azure-keyvault-secrets`` 4.12.0 and ``azure-identity`` 1.27.0 send.
"""
