"""The ``Authorization`` of requests that do not go through Microsoft's SDK, made of the credential that the SDK holds.

Source: Azure Storage REST reference, "Authorize with Shared Key"; azure-storage-blob ``_shared/authentication.py``.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote

from azure.core.credentials import AccessToken, AzureSasCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from yarl import URL

from include.drive_backup.ports import Clock

AUDIENCE = "https://storage.azure.com"

#: Seconds before its end at which a token is renewed; azure-core does the same.
_EARLY = 300
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
# The service compares header names letter by letter, without dashes, and has the underscore before all else.
_ORDER = str.maketrans({"-": None, "_": " "})


class Signer(Protocol):
    """Authorises requests."""

    async def sign(self, method: str, url: str, query: Mapping[str, str], headers: dict[str, str]) -> URL:
        """Add what proves who we are.

        :param url: without a query, encoded.
        :param query: plain text.
        :param headers: names in lower case; may be added to.
        :return: the URL to send to.
        :raises ClientAuthenticationError: there is no usable key or token.
        """

    def forget(self) -> bool:
        """The service did not take it; whether there may be another one."""


class SharedKey:
    """Signs with an account key."""

    def __init__(self, account: str, key: str) -> None:
        self._account = account
        self._text = key

    @cached_property
    def _key(self) -> bytes:
        try:
            return base64.b64decode(self._text)
        except ValueError as error:
            raise ClientAuthenticationError(f"The account key is no base64 ({error}).") from error

    async def sign(self, method: str, url: str, query: Mapping[str, str], headers: dict[str, str]) -> URL:
        """See :meth:`Signer.sign`."""
        target = _with_query(url, query)
        text = string_to_sign(method, f"/{self._account}{target.raw_path}", query, headers)
        digest = hmac.digest(self._key, text.encode(), "sha256")
        headers["authorization"] = f"SharedKey {self._account}:{base64.b64encode(digest).decode()}"
        return target

    def forget(self) -> bool:
        """See :meth:`Signer.forget`."""
        return False


class Sas:
    """Appends a shared access signature.

    :param signature: its text; of a credential object, which may be given another one while we run.
    """

    def __init__(self, signature: str | AzureSasCredential) -> None:
        self._signature = signature

    async def sign(self, method: str, url: str, query: Mapping[str, str], headers: dict[str, str]) -> URL:  # noqa: ARG002
        """See :meth:`Signer.sign`."""
        given = self._signature if isinstance(self._signature, str) else str(self._signature.signature)
        return _with_query(url, {**query, **dict(parse_qsl(given.lstrip("?")))})

    def forget(self) -> bool:
        """See :meth:`Signer.forget`."""
        return False


class Bearer:
    """Sends an Entra ID token, and gets the next one in time.

    :param audience: whom the token is for.
    """

    def __init__(self, credential: AsyncTokenCredential, clock: Clock, audience: str) -> None:
        self._credential = credential
        self._clock = clock
        self._scope = f"{audience.rstrip('/')}/.default"
        self._token: AccessToken | None = None
        self._turn = asyncio.Lock()

    async def sign(self, method: str, url: str, query: Mapping[str, str], headers: dict[str, str]) -> URL:  # noqa: ARG002
        """See :meth:`Signer.sign`."""
        if not url.startswith("https:"):
            raise ClientAuthenticationError("A token is sent over https only. Correct the host of the connection.")
        async with self._turn:
            if self._token is None or self._token.expires_on - _EARLY < self._clock.now().timestamp():
                self._token = await self._credential.get_token(self._scope)
            headers["authorization"] = f"Bearer {self._token.token}"
        return _with_query(url, query)

    def forget(self) -> bool:
        """See :meth:`Signer.forget`."""
        self._token = None
        return True


def signer_of(container: ContainerClient, clock: Clock, audience: str = AUDIENCE) -> Signer:
    """The signer for the credential of an SDK client, whichever way it authenticates."""
    credential: Any = container.credential
    if hasattr(credential, "account_key"):
        return SharedKey(credential.account_name, credential.account_key)
    if hasattr(credential, "get_token"):
        return Bearer(credential, clock, audience)
    if isinstance(credential, AzureSasCredential):
        return Sas(credential)
    return Sas(sas_of(container))


def sas_of(container: ContainerClient | BlobServiceClient) -> str:
    """The SAS that an SDK client authenticates with; empty: it does so in another way."""
    credential: Any = container.credential
    if isinstance(credential, AzureSasCredential):
        return str(credential.signature)
    # One in a connection string, or given as text, is part of the client's URL.
    return str(container.url).partition("?")[2]


def string_to_sign(method: str, resource: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """What a shared key signs.

    :param resource: ``/<account>/<path>`` as it is sent.
    :param headers: names in lower case.
    """
    length = headers.get("content-length", "")
    signed = {**headers, "content-length": "" if length == "0" else length}
    lines = [method, *[signed.get(name, "") for name in _SIGNED]]
    ours = sorted([name for name in headers if name.startswith("x-ms-")], key=_rank)
    lines += [f"{name}:{headers[name]}" for name in ours]
    lines.append(resource)
    lines += [f"{name}:{query[name]}" for name in sorted(query)]
    return "\n".join(lines)


@lru_cache
def _rank(name: str) -> str:
    return name.translate(_ORDER)


def _with_query(url: str, query: Mapping[str, str]) -> URL:
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return URL(f"{url}?{encoded}" if encoded else url, encoded=True)
