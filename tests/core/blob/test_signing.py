"""Requests past the SDK carry what the SDK would have them carry."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.blob.signing import Bearer, Sas, SharedKey
from tests.support.fake_clock import FakeClock

KEY = "c2VjcmV0" * 4
URL = "https://account.blob.core.windows.net/box/a%20b/%C3%A9~"
KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(st.dictionaries(KEYS, TEXT), st.integers(0, 3), st.booleans())
def test_a_shared_key_signs_what_the_sdk_signs(metadata, size, block):
    query = {"comp": "block", "blockid": "QUJD+/=="} if block else {}
    headers = {
        "content-length": str(size),
        "content-md5": "CY9rzUYh03PK3k6DJie09g==",
        "content-type": "application/octet-stream",
        "if-none-match": "*",
        "x-ms-blob-content-type": "text/plain; charset=utf-8",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-date": "Mon, 23 Nov 2026 12:00:00 GMT",
        "x-ms-version": "2026-06-06",
        **{f"x-ms-meta-{key}": value for key, value in metadata.items()},
    }
    request = HttpRequest("PUT", URL, headers=dict(headers))
    request.format_parameters({key: value.replace("+", "%2B").replace("=", "%3D") for key, value in query.items()})
    context = SimpleNamespace(transport=None)
    SharedKeyCredentialPolicy("account", KEY).on_request(SimpleNamespace(http_request=request, context=context))
    target = asyncio.run(SharedKey("account", KEY).sign("PUT", URL, query, headers))
    assert headers["authorization"] == request.headers["Authorization"]
    assert str(target).partition("?")[0] == URL
    assert dict(target.query) == query


async def test_a_key_that_is_no_key_is_said():
    with pytest.raises(ClientAuthenticationError, match="base64"):
        await SharedKey("account", "a").sign("PUT", URL, {}, {})


async def test_a_shared_access_signature_may_be_renewed_while_we_run():
    credential, headers = AzureSasCredential("?sv=1&sig=a%2Bb%3D"), {}
    signer = Sas(credential)
    assert str(await signer.sign("PUT", URL, {"comp": "block"}, headers)) == f"{URL}?comp=block&sv=1&sig=a%2Bb%3D"
    credential.update("sv=1&sig=new")
    assert str(await signer.sign("PUT", URL, {}, headers)) == f"{URL}?sv=1&sig=new"
    assert headers == {}


class Tokens:
    """Gives t1, t2 … that are good for an hour each."""

    def __init__(self, clock):
        self.clock, self.asked = clock, []

    async def get_token(self, *scopes):
        self.asked.append(scopes)
        await asyncio.sleep(0)
        return AccessToken(f"t{len(self.asked)}", int(self.clock.now().timestamp()) + 3600)


async def test_a_token_is_asked_for_once_and_renewed_before_it_ends():
    clock = FakeClock()
    tokens = Tokens(clock)
    signer = Bearer(tokens, clock, "https://storage.azure.com/")

    async def header():
        headers = {}
        assert str(await signer.sign("PUT", URL, {}, headers)) == URL
        return headers["authorization"]

    assert set(await asyncio.gather(*(header() for _ in range(5)))) == {"Bearer t1"}
    await clock.sleep(3200)
    assert await header() == "Bearer t1"
    await clock.sleep(200)
    assert await header() == "Bearer t2"
    assert signer.forget()
    assert await header() == "Bearer t3"
    assert set(tokens.asked) == {("https://storage.azure.com/.default",)}


async def test_a_token_never_travels_in_the_open():
    with pytest.raises(ClientAuthenticationError, match="https"):
        await Bearer(Tokens(FakeClock()), FakeClock(), "a").sign("PUT", "http://host/box/a", {}, {})
