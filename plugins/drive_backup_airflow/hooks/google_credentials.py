"""From the fields of a ``google_cloud_platform`` connection to a google-auth credential.

Keys and refresh tokens are read here; what needs the Google provider's own code (secrets in Secret Manager, workload
identity, application default credentials) is left to its ``GoogleBaseHook``, whose import takes a second and
is therefore made only then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError

from include.drive_backup.drive.errors import READ_SCOPE
from include.drive_backup.errors import ConfigError, CredentialsError

if TYPE_CHECKING:
    from airflow.sdk import Connection

#: Where a credential may come from; Airflow's provider allows one of them too.
_KEY_FIELDS = ("keyfile_dict", "key_path", "credential_config_file", "key_secret_name")


@dataclass(frozen=True)
class GoogleConnection:
    """The connection's fields, under the names of Airflow's Google provider plus ``subject`` and ``api_endpoint``.

    :param name: the connection id, for sentences.
    :param extras: the connection's extra.
    """

    name: str
    extras: Mapping[str, Any]

    @classmethod
    def of(cls, connection: Connection) -> GoogleConnection:
        """Read the extra.

        :raises ConfigError: when it is no JSON object. Airflow itself would take it for empty.
        """
        try:
            extras = json.loads(connection.extra or "{}")
        except ValueError:
            extras = None
        if not isinstance(extras, dict):
            raise ConfigError(
                f"The extra of the connection '{connection.conn_id}' is no JSON object. Correct it, e.g. "
                '{"key_path": "/path/to/key.json"}.'
            )
        return cls(connection.conn_id, extras)

    def field(self, name: str) -> Any:
        """A field, also under the prefix of older Airflow; None when it is empty."""
        value = self.extras.get(name, self.extras.get(f"extra__google_cloud_platform__{name}"))
        return value if value not in ("", None) else None

    def number(self, name: str, default: int) -> int:
        """A field that is a whole number, 0 or more."""
        value = self.field(name)
        if value is None:
            return default
        if not str(value).strip().isdecimal():
            raise ConfigError(f"{name} of the connection '{self.name}' is {value!r}; write a whole number such as 5.")
        return int(value)

    @property
    def scopes(self) -> list[str]:
        """OAuth scopes; reading Drive when the connection names none."""
        text = str(self.field("scope") or READ_SCOPE)
        return [scope for scope in text.replace(",", " ").split() if scope]

    def with_scope(self, scope: str) -> GoogleConnection:
        """The same connection for another scope."""
        return replace(self, extras={**self.extras, "scope": scope})

    @property
    def impersonation_chain(self) -> list[str]:
        """Service accounts to impersonate one through the other; the last is the one that calls."""
        chain = self.field("impersonation_chain") or []
        return [each.strip() for each in (chain.split(",") if isinstance(chain, str) else chain) if each.strip()]

    @property
    def api_endpoint(self) -> str | None:
        """Root URL of the API, or None for Google's."""
        endpoint = self.field("api_endpoint")
        if endpoint is not None and not str(endpoint).startswith(("http://", "https://")):
            raise ConfigError(
                f"api_endpoint of the connection '{self.name}' is {endpoint!r}; write a URL such as "
                "https://www.googleapis.com, or leave it out."
            )
        return None if endpoint is None else str(endpoint)


def credentials_of(connection: GoogleConnection, subject: str | None) -> tuple[Credentials, bool]:
    """The credential, and whether it acts as ``subject`` already.

    A credential that cannot delegate is returned as it is: whether it belongs to the subject anyhow is for the caller
    to find out.

    :param subject: e-mail address of the user to act as, by domain-wide delegation.
    :raises CredentialsError: a key that cannot be used; the sentence says how to correct it.
    :raises ConfigError: fields that contradict each other.
    """
    given = [name for name in _KEY_FIELDS if connection.field(name)]
    if len(given) > 1:
        raise ConfigError(
            f"The connection '{connection.name}' has {' and '.join(given)}. Keep one of them and empty the others."
        )
    if connection.field("is_anonymous") in (True, "true", "True", "1"):
        raise ConfigError(f"The connection '{connection.name}' is anonymous, and Drive needs a credential: give a key.")
    try:
        return _as_subject(_with_quota_project(_base_credentials(connection), connection), connection, subject)
    except (GoogleAuthError, ValueError, KeyError) as error:
        raise CredentialsError(
            f"The credential in the connection '{connection.name}' cannot be used: {_brief(error)}. Paste the JSON key "
            "file as Google gave it.",
            reason="malformedKey",
        ) from error


def _base_credentials(connection: GoogleConnection) -> Credentials:
    info = _key_info(connection)
    if info is None:
        return _by_provider(connection)
    if info["type"] == "authorized_user":
        return _authorized_user(info, connection)
    if info["type"] != "service_account":
        raise CredentialsError(
            f"The key of the connection '{connection.name}' is of type {info['type']}, and this field takes "
            "service_account and authorized_user. Put workload identity into credential_config_file instead.",
            reason="malformedKey",
        )
    from google.oauth2.service_account import Credentials as ServiceAccount  # noqa: PLC0415 - 0.2 s

    # Keys that went through environment variables or forms often carry their line ends escaped twice.
    info["private_key"] = str(info["private_key"]).replace("\\n", "\n")
    result: Credentials = ServiceAccount.from_service_account_info(  # type: ignore[no-untyped-call]
        info, scopes=connection.scopes
    )
    return result


def _authorized_user(info: dict[str, Any], connection: GoogleConnection) -> Credentials:
    from google.oauth2.credentials import Credentials as AuthorizedUser  # noqa: PLC0415 - 0.2 s

    # Asking for a scope that the user did not grant is an error, so without a setting nothing is asked.
    scopes = connection.scopes if connection.field("scope") else None
    result: Credentials = AuthorizedUser.from_authorized_user_info(info, scopes=scopes)  # type: ignore[no-untyped-call]
    # google-auth knows Google's token endpoint only, although it keeps another one when it is told.
    if info.get("token_uri"):
        result = result.with_token_uri(info["token_uri"])  # type: ignore[attr-defined]
    return result


def _key_info(connection: GoogleConnection) -> dict[str, Any] | None:
    """The JSON of ``keyfile_dict`` or of the file at ``key_path``; None when neither is set."""
    inline, path = connection.field("keyfile_dict"), connection.field("key_path")
    if inline is None and path is None:
        return None
    info = inline if inline is not None and not isinstance(inline, str) else _parse(inline or _read(path), connection)
    if not isinstance(info, dict) or "type" not in info:
        hint = (
            " It is an OAuth client, not a credential: sign in with it once, and give the authorized_user JSON."
            if isinstance(info, dict) and {"installed", "web"} & info.keys()
            else ""
        )
        raise CredentialsError(
            f"The key of the connection '{connection.name}' is not a Google key: its JSON has no \"type\".{hint}",
            reason="malformedKey",
        )
    return dict(info)


def _read(path: str) -> str:
    if path.endswith(".p12"):
        raise CredentialsError(
            f"key_path {path} is a P12 key, which Google no longer advises. Create a JSON key and point to it.",
            reason="malformedKey",
        )
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise CredentialsError(
            f"key_path {path} cannot be read ({reason}). Put the JSON key file there, readable for Airflow's workers.",
            reason="keyFileMissing",
        ) from error


def _parse(text: str, connection: GoogleConnection) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        # The text is a secret: say where it breaks, quote nothing.
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CredentialsError(
            f"The key of the connection '{connection.name}' is not valid JSON{where}. Paste the whole key file.",
            reason="malformedKey",
        ) from None


def _by_provider(connection: GoogleConnection) -> Credentials:
    """Everything that is neither a service account's key nor a refresh token."""
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook  # noqa: PLC0415 - 1.1 s
    from airflow.sdk.exceptions import AirflowException  # noqa: PLC0415 - with the above

    class Provided(GoogleBaseHook):
        """The provider's hook over the fields that were read already, with our default scope."""

        def __init__(self) -> None:
            self.extras = {**connection.extras, "impersonation_chain": None}
            self.impersonation_chain = self.quota_project_id = None
            self._cached_credentials = self._cached_project_id = None

        @property
        def scopes(self) -> Sequence[str]:
            return connection.scopes

    try:
        found: Credentials = Provided().get_credentials()
    except AirflowException as error:
        raise ValueError(str(error)) from error
    return found


def _with_quota_project(credentials: Credentials, connection: GoogleConnection) -> Credentials:
    project = connection.field("quota_project_id")
    if project is None:
        return credentials
    return credentials.with_quota_project(project)  # type: ignore[attr-defined, no-any-return]


def _as_subject(
    credentials: Credentials, connection: GoogleConnection, subject: str | None
) -> tuple[Credentials, bool]:
    if connection.impersonation_chain:
        return _impersonated(credentials, connection, subject), True
    own = str(getattr(credentials, "service_account_email", None) or "")
    if subject is None or own.lower() == subject.lower():
        return credentials, True
    if not hasattr(credentials, "with_subject"):
        return credentials, False
    return credentials.with_subject(subject), True


def _impersonated(credentials: Credentials, connection: GoogleConnection, subject: str | None) -> Credentials:
    from google.auth.impersonated_credentials import Credentials as Impersonated  # noqa: PLC0415 - only here

    *delegates, target = connection.impersonation_chain
    return Impersonated(  # type: ignore[no-untyped-call]
        source_credentials=credentials,
        target_principal=target,
        delegates=delegates or None,
        target_scopes=connection.scopes,
        subject=None if subject is None or subject.lower() == target.lower() else subject,
        quota_project_id=connection.field("quota_project_id"),
    )


def _brief(error: Exception) -> str:
    """The error's first line; KeyError's is only the key."""
    text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return (text.splitlines() or [type(error).__name__])[0][:200].rstrip(".")
