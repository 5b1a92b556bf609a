"""Ready-made credentials: a service account and an authorized user, as Google's own files look."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SERVICE_ACCOUNT_FILE = "service-account.json"
AUTHORIZED_USER_FILE = "authorized-user.json"
DRIVE_SCOPES = (
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/auth/drive.readonly",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
)
_CLIENT_EMAIL = "backup@local-drive.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Credentials:
    """What the server knows of its only service account and its only OAuth client."""

    client_email: str
    private_key_pem: str
    client_id: str
    client_secret: str
    refresh_token: str
    refresh_user: str
    scopes: tuple[str, ...] = DRIVE_SCOPES

    @property
    def public_key_pem(self) -> str:
        """The key that signatures are checked with."""
        key = serialization.load_pem_private_key(self.private_key_pem.encode(), password=None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    @classmethod
    def generate(cls, refresh_user: str) -> Credentials:
        """Fresh ones.

        :param refresh_user: the e-mail address that the refresh token belongs to.
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(
            client_email=_CLIENT_EMAIL,
            private_key_pem=pem.decode(),
            client_id="local-drive.apps.googleusercontent.com",
            client_secret=secrets.token_urlsafe(24),
            refresh_token="1//" + secrets.token_urlsafe(48),
            refresh_user=refresh_user,
        )

    @classmethod
    def load_or_generate(cls, folder: Path, refresh_user: str) -> Credentials:
        """Those of an earlier start when they are in the folder, so that connections made then go on working."""
        try:
            account = json.loads((folder / SERVICE_ACCOUNT_FILE).read_text())
            user = json.loads((folder / AUTHORIZED_USER_FILE).read_text())
        except FileNotFoundError:
            return cls.generate(refresh_user)
        return cls(
            client_email=account["client_email"],
            private_key_pem=account["private_key"],
            client_id=user["client_id"],
            client_secret=user["client_secret"],
            refresh_token=user["refresh_token"],
            refresh_user=refresh_user,
        )

    def write(self, folder: Path, url: str) -> None:
        """Write both files, readable by their owner only.

        :param url: the server's; its ``/token`` becomes the ``token_uri``.
        """
        account = {
            "type": "service_account",
            "project_id": "local-drive",
            "private_key_id": "local",
            "private_key": self.private_key_pem,
            "client_email": self.client_email,
            "client_id": "100000000000000000001",
            "auth_uri": f"{url}/auth",
            "token_uri": f"{url}/token",
            "universe_domain": "googleapis.com",
        }
        user = {
            "type": "authorized_user",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
            "token_uri": f"{url}/token",
        }
        for name, data in ((SERVICE_ACCOUNT_FILE, account), (AUTHORIZED_USER_FILE, user)):
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(json.dumps(data, indent=2) + "\n")
