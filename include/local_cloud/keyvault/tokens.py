"""Access tokens: made by the identity endpoint, checked by the vault (and by the local Event Hubs)."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from include.local_cloud.keyvault.files import write_private

TENANT = "8e6f3c52-0000-4000-8000-6c6f63616c00"
PRINCIPAL = "8e6f3c52-0000-4000-8000-6c6f63616c01"
ISSUER = f"https://sts.windows.net/{TENANT}/"


class TokenError(Exception):
    """A token is not good; the text is the error description of the 401."""


class Tokens:
    """Issues and checks tokens with a key that is kept in the state folder.

    :param state: folder; the public key is written there as ``token-key.pem``.
    :param lifetime: seconds that a token is good for. Azure's managed identities give 24 hours.
    """

    def __init__(self, state: Path, lifetime: int = 86_400) -> None:
        self._key = _load_key(state / "token-private-key.pem")
        self._lifetime = lifetime
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = state / "token-key.pem"
        write_private(self.public_key, public)

    def issue(self, audience: str, client: str | None) -> tuple[str, int]:
        """A token for an audience, and when it expires in seconds since 1970."""
        now = int(time.time())
        expires = now + self._lifetime
        claims = {
            "aud": audience,
            "iss": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "oid": PRINCIPAL,
            "sub": PRINCIPAL,
            "tid": TENANT,
            "appid": client or PRINCIPAL,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256"), expires

    def check(self, authorization: str, audience: str) -> None:
        """Check the header of a request.

        :raises TokenError: when there is no token, or it is not ours, not for this audience, or no longer good.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=[audience, audience + "/"],
                issuer=ISSUER,
                options={"require": ["exp", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("AKV10042: The token is expired.") from error
        except jwt.InvalidAudienceError as error:
            raise TokenError(f"AKV10022: Invalid audience. Expected {audience}.") from error
        except jwt.PyJWTError as error:
            raise TokenError(f"AKV10032: Invalid token. {error}.") from error


def _load_key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        made = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key; remove it and a new one is made.")
    return key
