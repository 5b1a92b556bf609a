"""What google-auth's exceptions mean, as our error types."""

from __future__ import annotations

from typing import Any

from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, ReauthFailError, RefreshError

from include.drive_backup.drive.errors import READ_SCOPE
from include.drive_backup.errors import (
    AccountUnavailableError,
    CredentialsError,
    DriveBackupError,
    ServiceUnavailableError,
)
from include.drive_backup.values import decode_json

#: What to do, by a piece of the token endpoint's answer; the first that fits. The texts are those that GAM collected.
_ADVICE = (
    ("invalid email or user id", "There is no such user in the domain; correct the subject or the source."),
    ("not a valid email", "The subject is no email address; correct it."),
    ("account has been deleted", "The user was deleted; remove the source."),
    ("expired or revoked", "Sign in again and put the new refresh token into the Google connection."),
    ("invalid jwt", "Check this machine's clock, and that the key in the Google connection was not deleted."),
    ("unauthorized_client", f"Allow the scope {READ_SCOPE} for the client id under domain-wide delegation."),
    ("account restricted", "Have an administrator restore the suspended or restricted user, or remove the source."),
    ("access_denied", "Have an administrator allow this client or this user in the Admin console."),
    ("invalid_scope", "Correct the scope in the Google connection: the credential was not granted it."),
    ("invalid_client", "Correct client_id and client_secret in the Google connection."),
)
#: Pieces of the answer that speak of one user, not of the credential.
_PERSONAL = ("invalid email or user id", "not a valid email", "account has been deleted", "account restricted")
#: OAuth's words for a refusal that stays (RFC 6749, section 5.2, and Google's own); others are a passing trouble.
_FINAL = frozenset(
    {
        "access_denied",
        "admin_policy_enforced",
        "deleted_client",
        "disabled_client",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "org_internal",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
_DEFAULT_ADVICE = "Check the key or the refresh token in the Google connection."


def error_from_google_auth(error: Exception) -> DriveBackupError:
    """Our error for what google-auth raised while it refreshed a token.

    :param error: a ``GoogleAuthError``, or the ``ValueError`` of a key that cannot sign.
    """
    if isinstance(error, (DefaultCredentialsError, ReauthFailError)) or not isinstance(error, GoogleAuthError):
        return _refused(str(error), "credentials")
    code, text = _answer(error)
    if isinstance(error, RefreshError) and not error.retryable and code:
        return _refused(text, code)
    return ServiceUnavailableError(
        f"Google's token endpoint gave no token: {_first_line(text)}. Check the network if this stays.",
        service="drive",
        reason="tokenEndpoint",
    )


def _refused(text: str, code: str) -> CredentialsError:
    lowered = text.lower()
    advice = next((each for piece, each in _ADVICE if piece in lowered), _DEFAULT_ADVICE)
    kind = AccountUnavailableError if any(piece in lowered for piece in _PERSONAL) else CredentialsError
    return kind(f"Google gives no token: {_first_line(text)}. {advice}", reason=code)


def _answer(error: GoogleAuthError) -> tuple[str, str]:
    """The error code, empty when the endpoint gave none that is understood, and the text."""
    text = str(error.args[0]) if error.args else str(error)
    if "necessary fields" in text:  # google-auth's own words when refresh token or client id are missing
        return "credentials", text
    body = error.args[1] if len(error.args) > 1 else None
    code = _code(_decoded(body))
    return code, text


def _decoded(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return decode_json(body, object)
    except ValueError:
        return None


def _code(body: Any) -> str:
    """OAuth's word for a refusal that stays, or the status of an IAM refusal (impersonation); else empty."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        return error if error in _FINAL else ""
    if isinstance(error, dict) and error.get("code") in {400, 401, 403, 404}:
        return str(error.get("status") or "credentials")
    return ""


def _first_line(text: str) -> str:
    """One line of the text: token endpoints that are down answer with whole HTML pages."""
    return (text.strip().splitlines() or ["no answer"])[0][:300].rstrip(".")
