"""Google's token endpoint: service accounts with delegation, refresh tokens, access tokens that expire."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from google.auth import crypt, jwt

from include.local_cloud.drive.clock import AdjustableClock
from include.local_cloud.drive.credentials import Credentials
from include.local_cloud.drive.errors import invalid_credentials
from include.local_cloud.drive.model import User

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth always writes this audience, wherever `token_uri` points.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
MAX_LIFETIME_S = 3600
SKEW_S = 300


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for. ``expires`` is in milliseconds since 1970."""

    email: str
    scopes: frozenset[str]
    expires: int


class TokenError(Exception):
    """An OAuth error answer (RFC 6749, 5.2)."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Tokens:
    """Issues and checks access tokens.

    :param credentials: the service account and the OAuth client that this server knows.
    :param lifetime_s: of an access token.
    :param delegated: scopes that the domain's administrator gave the service account; None for all.
    """

    def __init__(
        self,
        credentials: Credentials,
        users: dict[str, User],
        clock: AdjustableClock,
        *,
        lifetime_s: int = 3600,
        delegated: frozenset[str] | None = None,
    ) -> None:
        self.credentials = credentials
        self.users = users
        self.clock = clock
        self.lifetime_s = lifetime_s
        self.delegated = delegated
        self.audiences = {GOOGLE_AUDIENCE}
        self.refresh_tokens = {credentials.refresh_token: credentials.refresh_user}
        self._grants: dict[str, Grant] = {}
        self._verifier = crypt.RSAVerifier.from_string(credentials.public_key_pem)  # type: ignore[no-untyped-call]

    def issue(self, email: str, scopes: frozenset[str]) -> str:
        """A new access token for a user."""
        token = "ya29." + secrets.token_urlsafe(48)
        self._grants[token] = Grant(email, scopes, self.clock.now() + self.lifetime_s * 1000)
        return token

    def check(self, authorization: str | None) -> Grant:
        """Who calls.

        :param authorization: the header's value.
        :raises ApiError: 401 ``authError``.
        """
        scheme, _, token = (authorization or "").partition(" ")
        grant = self._grants.get(token) if scheme.lower() == "bearer" else None
        if grant is None or grant.expires <= self.clock.now():
            raise invalid_credentials()
        return grant

    def rename(self, old: str, new: str | None) -> None:
        """What was granted to a user goes on under another address; None: the account is gone, and all grants."""
        for token, grant in list(self._grants.items()):
            if grant.email == old:
                if new is None:
                    del self._grants[token]
                else:
                    self._grants[token] = replace(grant, email=new)
        for token, email in list(self.refresh_tokens.items()):
            if email == old and new is None:
                del self.refresh_tokens[token]
            elif email == old and new is not None:
                self.refresh_tokens[token] = new

    def revoke_all(self) -> None:
        """Make every access token invalid."""
        self._grants.clear()

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """Answer one call of the token endpoint.

        :raises TokenError: in Google's words.
        """
        kind = form.get("grant_type")
        if kind == JWT_BEARER:
            email, scopes = self._by_assertion(form.get("assertion", ""))
        elif kind == "refresh_token":
            email, scopes = self._by_refresh_token(form)
        else:
            raise TokenError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
        return {
            "access_token": self.issue(email, scopes),
            "expires_in": self.lifetime_s,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def _by_assertion(self, assertion: str) -> tuple[str, frozenset[str]]:
        claims = self._claims(assertion)
        self._check_times(claims)
        if claims.get("iss") != self.credentials.client_email:
            raise TokenError(400, "invalid_grant", "Invalid grant: account not found")
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise TokenError(400, "invalid_scope", "Empty or missing scope not allowed.")
        subject = claims.get("sub") or self.credentials.client_email
        if subject != self.credentials.client_email:
            self._check_subject(str(subject), scopes)
        return str(subject), scopes

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            header, claims, signed, signature = jwt._unverified_decode(assertion)  # type: ignore[no-untyped-call]  # noqa: SLF001
        except (ValueError, TypeError) as error:
            raise TokenError(400, "invalid_grant", "Bad Request") from error
        if header.get("alg") != "RS256" or not self._verifier.verify(signed, signature):
            raise TokenError(400, "invalid_grant", "Invalid JWT Signature.")
        if claims.get("aud") not in self.audiences:
            raise TokenError(400, "invalid_grant", "Invalid JWT: Failed audience check.")
        return dict(claims)

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self.clock.now() / 1000
        issued, expires = claims.get("iat"), claims.get("exp")
        if (
            not isinstance(issued, int)
            or not isinstance(expires, int)
            or expires - issued > MAX_LIFETIME_S
            or issued > now + SKEW_S
            or expires < now - SKEW_S
        ):
            raise TokenError(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )

    def _check_subject(self, subject: str, scopes: frozenset[str]) -> None:
        if "@" not in subject:
            raise TokenError(400, "invalid_grant", "Not a valid email")
        if subject not in self.users:
            raise TokenError(400, "invalid_grant", "Invalid email or User ID")
        if self.users[subject].suspended:
            raise TokenError(400, "access_denied", "Account restricted")
        if self.delegated is not None and not scopes <= self.delegated:
            raise TokenError(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized "
                "for any of the scopes requested.",
            )

    def _by_refresh_token(self, form: dict[str, str]) -> tuple[str, frozenset[str]]:
        known = self.credentials
        if (form.get("client_id"), form.get("client_secret")) != (known.client_id, known.client_secret):
            raise TokenError(401, "invalid_client", "The OAuth client was not found.")
        email = self.refresh_tokens.get(form.get("refresh_token", ""))
        if email is None:
            raise TokenError(400, "invalid_grant", "Token has been expired or revoked.")
        granted = frozenset(known.scopes)
        asked = frozenset(form.get("scope", "").split()) or granted
        if not asked <= granted:
            raise TokenError(400, "invalid_scope", "Some requested scopes were invalid.")
        return email, asked


async def answer(tokens: Tokens, request: web.Request) -> web.Response:
    """``POST /token``."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    try:
        return web.json_response(tokens.exchange(form))
    except TokenError as error:
        return web.json_response(error.body, status=error.status)
