"""Who may do what: shared access signatures, bearer tokens, and the claims of a connection."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlsplit

import jwt

from include.local_cloud.eventhubs.frames import AmqpError

#: The audience of an Event Hubs token, with and without the double slash of ``azure-eventhub``'s scope.
AUDIENCES = ("https://eventhubs.azure.net", "https://eventhubs.azure.net/", "https://eventhubs.azure.net//")
SAS_TYPE, JWT_TYPE = "servicebus.windows.net:sastoken", "jwt"


class RefusedError(Exception):
    """A token is not good; the text is the status description of the 401."""


class Authority(NamedTuple):
    """What tokens are checked against.

    :param token_key: PEM of the public key of the token service; without one, the audience and the times of a bearer
        token are checked but not its signature.
    """

    key_name: str
    key: str
    token_key: bytes | None = None

    def check(self, kind: str, token: str, audience: str, now: float) -> float:
        """When the token expires, in seconds since 1970.

        :raises RefusedError: when it does not give access to the audience.
        """
        if kind == SAS_TYPE:
            return self._check_sas(token, audience, now)
        if kind == JWT_TYPE:
            return self._check_jwt(token)
        raise RefusedError(f"The token type '{kind}' is not supported.")

    def _check_sas(self, token: str, audience: str, now: float) -> float:
        """HMAC-SHA256 over the URL-encoded resource, a line feed and the expiry ("Authorize access with SAS")."""
        scheme, _, query = token.partition(" ")
        fields = dict(parse_qsl(query))
        if scheme != "SharedAccessSignature" or not fields.keys() >= {"sr", "sig", "se", "skn"}:
            raise RefusedError("MalformedToken: The shared access signature is malformed.")
        raw = dict(part.split("=", 1) for part in query.split("&"))["sr"]
        if not self._signed(raw, fields) and not self._signed(quote_plus(fields["sr"]), fields):
            raise RefusedError("InvalidSignature: The token has an invalid signature.")
        if not fields["se"].isdigit() or int(fields["se"]) <= now:
            raise RefusedError(f"ExpiredToken: The token is expired. Expiration time: '{fields['se']}'.")
        if not covers(path_of(fields["sr"]), path_of(audience)):
            raise RefusedError(f"InvalidAudience: The token is for '{unquote_plus(raw)}', not for '{audience}'.")
        return float(fields["se"])

    def _signed(self, resource: str, fields: dict[str, str]) -> bool:
        digest = hmac.new(self.key.encode(), f"{resource}\n{fields['se']}".encode(), hashlib.sha256).digest()
        good = hmac.compare_digest(base64.b64encode(digest).decode(), fields["sig"])
        return good and fields["skn"] == self.key_name

    def _check_jwt(self, token: str) -> float:
        options = {"require": ["exp", "aud"], "verify_signature": self.token_key is not None}
        always = {"verify_exp": True, "verify_aud": True, "verify_nbf": True}
        try:
            claims = jwt.decode(
                token,
                key=self.token_key or "",
                algorithms=["RS256"],
                audience=AUDIENCES,
                options=options | always,  # type: ignore[arg-type]
            )
        except jwt.PyJWTError as error:
            raise RefusedError(f"InvalidToken: {error}.") from error
        return float(claims["exp"])


class Claims:
    """What one connection has been given, by path of the entity."""

    def __init__(self) -> None:
        self._expiry: dict[str, float] = {}

    def add(self, audience: str, expires: float) -> None:
        """Remember a token that was accepted."""
        self._expiry[path_of(audience)] = expires

    def require(self, path: str, now: float) -> None:
        """:raises AmqpError: when no valid token covers the path."""
        if not any(covers(claim, path) and expires > now for claim, expires in self._expiry.items()):
            raise AmqpError(
                "amqp:unauthorized-access",
                f"Unauthorized access. No valid token for '{path}' was put on this connection.",
            )


def path_of(audience: str) -> str:
    """``sb://host:1/Hub/x`` → ``hub/x``: hosts differ by proxy and alias, entities are compared without case."""
    parts = urlsplit(audience)
    return (parts.path if parts.scheme else audience).strip("/").lower()


def covers(claim: str, path: str) -> bool:
    """A claim covers its entity and what is below it; an empty one covers the namespace."""
    path = path_of(path)
    return not claim or path == claim or path.startswith(claim + "/")


def load_key(path: Path | None) -> bytes | None:
    """The PEM in a file, if one is named."""
    return path.read_bytes() if path else None
