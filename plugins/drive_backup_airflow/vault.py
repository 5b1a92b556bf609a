"""Tell "the vault is down" from "there is no such secret".

Airflow 3.3 says "The conn_id … isn't defined" for both, and logs the difference at DEBUG only
(``airflow.sdk.execution_time.context._get_connection``). One is a reason to retry, the other needs a person.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from azure.core.exceptions import AzureError, ClientAuthenticationError, ResourceNotFoundError

from drive_backup_airflow.azure_logs import quieten
from drive_backup_airflow.supervisor_line import ask
from include.drive_backup.errors import (
    ConfigError,
    CredentialsError,
    DriveBackupError,
    SecretMissingError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from airflow.sdk import Connection

#: For asking the vault once more: seconds to connect and to wait for bytes, and no retries, as Airflow has retried.
_QUICKLY = {"connection_timeout": 3, "read_timeout": 5, "retry_total": 0}
_KWARGS = (
    'Set AIRFLOW__SECRETS__BACKEND_KWARGS for every process of Airflow, e.g. {"vault_url": '
    '"https://<name>.vault.azure.net"}.'
)


class ExplainedConnections:
    """Mixin for hooks, before ``BaseHook``: look-ups that explain their failure.

    Both methods raise what :func:`get_connection_or_explain` raises.
    """

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """As :func:`get_connection_or_explain`."""
        return get_connection_or_explain(conn_id)

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """The same inside an event loop."""
        return await ask(lambda: get_connection_or_explain(conn_id))


def get_connection_or_explain(conn_id: str) -> Connection:
    """The connection, from wherever Airflow finds it. Nothing is cached.

    :raises SecretMissingError: it is defined nowhere; says where to put it.
    :raises ServiceUnavailableError: the vault is down (service ``vault``): try again.
    :raises CredentialsError: the vault refuses us; says which role is missing.
    :raises ConfigError: the secret is there, but it is no connection.
    """
    quieten()
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return _explain_or_find(conn_id)
    except ValueError as error:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if variable in os.environ:
            raise ConfigError(f"{variable} cannot be read as a connection ({_first(error)}). Correct it.") from error
        # What the backend, or the SDK behind it, says of its settings.
        raise ConfigError(
            f"Airflow cannot ask its secrets backend for the connection '{conn_id}' ({_first(error)}). {_KWARGS}"
        ) from error


def _explain_or_find(conn_id: str) -> Connection:
    vault = _key_vault()
    if vault is None or vault.connections_prefix is None:
        raise SecretMissingError(
            f"The connection '{conn_id}' is not defined. Add it in Airflow (Admin → Connections), in the "
            f"environment as AIRFLOW_CONN_{conn_id.upper()}, or in the secrets backend."
        )
    _ask(vault, conn_id)
    return _look_again(vault, conn_id)


def _key_vault() -> Any:
    """The Azure Key Vault backend that Airflow asks in this process, if one is configured."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded  # noqa: PLC0415 - heavy, needed on failure only

    for backend in ensure_secrets_backend_loaded():
        # By name: importing the class costs a second where Key Vault is not used. Subclasses count.
        if any(base.__name__ == "AzureKeyVaultBackend" for base in type(backend).__mro__):
            return backend
    return None


def _ask(vault: Any, conn_id: str) -> None:
    """Get the secret from the vault itself; returns when it is there.

    :raises DriveBackupError: the reason why Airflow could not have it.
    """
    name = vault.build_path(vault.connections_prefix, conn_id, vault.sep)
    if not re.fullmatch(r"[0-9a-zA-Z-]{1,127}", name):
        raise SecretMissingError(
            f"The connection '{conn_id}' is not defined, and cannot be in Key Vault: '{name}' is no name for a secret. "
            "Use letters, digits, '-' and '_' only."
        )
    _check_url(str(vault.vault_url))
    try:
        vault.client.get_secret(name, **_QUICKLY)
    except ValueError as error:
        raise ConfigError(f"Key Vault cannot be asked with these settings: {_first(error)} {_KWARGS}") from error
    except AzureError as error:
        raise _explain(error, name, vault.vault_url, conn_id) from error


def _check_url(url: str) -> None:
    """:raises ConfigError: no vault is named, or not over https: its SDK sends a token over nothing else."""
    parts = urlsplit(url)
    if not parts.hostname or not url.strip("/ "):
        raise ConfigError(f"Airflow's Key Vault backend has no vault_url. {_KWARGS}")
    if parts.scheme != "https":
        raise ConfigError(f"The vault_url of Airflow's Key Vault backend, {url}, does not begin with https. {_KWARGS}")


def _look_again(vault: Any, conn_id: str) -> Connection:
    # The vault has answered: either it was down a moment ago, or Airflow cannot read what it holds.
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        name = vault.build_path(vault.connections_prefix, conn_id, vault.sep)
        raise ConfigError(
            f"The secret '{name}' in {vault.vault_url} is there, but Airflow cannot read it as a connection. Its value "
            'must be JSON such as {"conn_type": "wasb", "extra": {…}}, or a connection URI.'
        ) from None


def _explain(error: Exception, name: str, url: str, conn_id: str) -> DriveBackupError:
    status = getattr(error, "status_code", None)
    if isinstance(error, ResourceNotFoundError):
        return SecretMissingError(
            f"The connection '{conn_id}' is not defined: there is no secret '{name}' in {url}. Set it with: "
            f"az keyvault secret set --vault-name {_vault_name(url)} --name {name} --file connection.json"
        )
    if status == 403 and "SecretDisabled" in str(error):
        return CredentialsError(
            f"The secret '{name}' in {url} is disabled. Enable it with: az keyvault secret set-attributes "
            f"--vault-name {_vault_name(url)} --name {name} --enabled true",
            reason="SecretDisabled",
        )
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        return CredentialsError(
            f"Key Vault {url} does not let Airflow read '{name}'. Give Airflow's identity the role "
            f"'Key Vault Secrets User' on the vault, and check the vault's firewall. The answer was: {_first(error)}"
        )
    return ServiceUnavailableError(
        f"Key Vault {url} did not answer, so the connection '{conn_id}' cannot be read now. The task will try again; "
        f"if it goes on, look at the vault's health and the network. The answer was: {_first(error)}",
        service="vault",
    )


def _vault_name(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return host.partition(".")[0] if ".vault." in host else "<name>"


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
